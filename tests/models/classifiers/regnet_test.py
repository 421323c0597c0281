import pytest
from references import checkpoints, families, parity
from references.writers import timm

from jaxbench import errors, models
from jaxbench.models.classifiers.regnet import RegNetConfig

CONFIG = RegNetConfig(
  depths=(1, 1, 2, 1),
  widths=(16, 24, 48, 72),
  group_width=8,
  num_classes=5,
  preprocess=models.Preprocess(32),
)


@pytest.fixture(scope="module")
def reference():
  slope = {"w0": 16, "wa": 12.0, "wm": 1.66, "depth": 5, "group_size": 8, "se_ratio": 0.25}
  shape = timm.models.regnet.RegNetCfg(**slope)
  return parity.randomize(timm.models.regnet.RegNet(shape, num_classes=5))


@pytest.mark.slow
def test_timm(load_timm, reference):
  model = load_timm(CONFIG, reference)
  parity.assert_same(model, reference, model.config, within=1e-5)


def test_torchvision(load_bare, reference):
  state = checkpoints.renamed(
    reference.state_dict(),
    *(
      (rf"^s{i}\.b{j}\.", f"trunk_output.block{i}.block{i}-{j - 1}.")
      for i in range(1, 5)
      for j in range(1, 3)
    ),
    (r"\.conv1\.", ".f.a."),
    (r"\.conv2\.", ".f.b."),
    (r"\.conv3\.", ".f.c."),
    (r"\.se\.", ".f.se."),
    (r"\.downsample\.", ".proj."),
    (r"\.conv\.", ".0."),
    (r"\.bn\.", ".1."),
    (r"^head\.fc", "fc"),
  )
  model = load_bare(CONFIG, state)
  parity.assert_same(model, reference, CONFIG, gradient=False, within=1e-5)


def test_without_gates_it_is_refused(tmp_path):
  written = families.CLASSIFIERS["regnet"]
  reference = written.build()
  reference.config.layer_type = "x"
  folder = checkpoints.write_huggingface(reference, tmp_path, written.processor)
  with pytest.raises(errors.InputError, match="layer_type 'x' is not supported"):
    models.load(folder)
