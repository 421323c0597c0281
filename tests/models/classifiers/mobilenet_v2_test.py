import pytest
from references import checkpoints, families, parity
from references.writers import timm

from jaxbench import errors, models
from jaxbench.models.classifiers.mobilenet_v2 import MobileNetV2Config
from jaxbench.models.parts.mbconv import Stage

CONFIG = MobileNetV2Config(
  stem=8,
  stages=(Stage(1, 8, 3, 1, 1), Stage(2, 16, 3, 2, 6)),
  head=32,
  epsilon=1e-5,
  same_padding=False,
  num_classes=5,
  preprocess=models.Preprocess(32),
)


@pytest.fixture(scope="module")
def reference():
  blocks = timm.models._efficientnet_builder.decode_arch_def(
    [["ds_r1_k3_s1_c8"], ["ir_r2_k3_s2_e6_c16"]]
  )
  sizes = {"num_features": 32, "stem_size": 8, "num_classes": 5, "act_layer": "relu6"}
  return parity.randomize(timm.models.efficientnet.EfficientNet(blocks, **sizes))


@pytest.mark.slow
def test_timm(load_timm, reference):
  model = load_timm(CONFIG, reference)
  parity.assert_same(model, reference, model.config, within=1e-5)


def test_torchvision(load_bare, reference):
  state = checkpoints.renamed(
    reference.state_dict(),
    (r"^conv_stem", "features.0.0"),
    (r"^bn1", "features.0.1"),
    (r"^conv_head", "features.4.0"),
    (r"^bn2", "features.4.1"),
    (r"^classifier", "classifier.1"),
    (r"^blocks\.0\.0\.conv_dw", "features.1.conv.0.0"),
    (r"^blocks\.0\.0\.bn1", "features.1.conv.0.1"),
    (r"^blocks\.0\.0\.conv_pw", "features.1.conv.1"),
    (r"^blocks\.0\.0\.bn2", "features.1.conv.2"),
    (r"^blocks\.1\.0\.", "features.2."),
    (r"^blocks\.1\.1\.", "features.3."),
    (r"\.conv_pwl", ".conv.2"),
    (r"\.bn3", ".conv.3"),
    (r"\.conv_pw", ".conv.0.0"),
    (r"\.bn1", ".conv.0.1"),
    (r"\.conv_dw", ".conv.1.0"),
    (r"\.bn2", ".conv.1.1"),
  )
  model = load_bare(CONFIG, state)
  parity.assert_same(model, reference, CONFIG, gradient=False, within=1e-5)


def test_a_wide_one_of_transformers(tmp_path):
  reference, written = families.mobilenet_v2(1.4), families.CLASSIFIERS["mobilenet_v2"]
  model = models.load(checkpoints.write_huggingface(reference, tmp_path, written.processor))
  assert model.config.head == 1792
  named = models.ARCHITECTURES["mobilenet_v2_140"]
  assert isinstance(named, MobileNetV2Config)
  assert (model.config.stem, model.config.stages) == (named.stem, named.stages)


def test_another_depth_of_its_stem_is_refused(tmp_path):
  written = families.CLASSIFIERS["mobilenet_v2"]
  reference = written.build()
  reference.config.first_layer_is_expansion = False
  folder = checkpoints.write_huggingface(reference, tmp_path, written.processor)
  with pytest.raises(errors.InputError, match="'first_layer_is_expansion' is set to False"):
    models.load(folder)
