import dataclasses

import pytest
from references import checkpoints, parity
from references.writers import timm

from jaxbench import models
from jaxbench.models.classifiers.efficientnet_v2 import EfficientNetV2Config
from jaxbench.models.parts.mbconv import Stage
from jaxbench.models.weights.timm import named

STAGES = (Stage(2, 8, 3, 1, 1, True), Stage(2, 16, 3, 2, 4, True), Stage(2, 24, 3, 2, 4))
CODED = [["cn_r2_k3_s1_e1_c8_skip"], ["er_r2_k3_s2_e4_c16"], ["ir_r2_k3_s2_e4_c24_se0.25"]]
SIZES = {"num_features": 32, "stem_size": 8, "num_classes": 5, "act_layer": "silu"}


def small(**padding):
  blocks = timm.models._efficientnet_builder.decode_arch_def(CODED)
  network = timm.models.efficientnet.EfficientNet(blocks, **SIZES, **padding)
  return parity.randomize(network)


def config(same_padding):
  images = {"num_classes": 5, "preprocess": models.Preprocess(32)}
  sizes = {"stem": 8, "stages": STAGES, "head": 32, "epsilon": 1e-5}
  return EfficientNetV2Config(**sizes, same_padding=same_padding, **images)


@pytest.mark.slow
@pytest.mark.parametrize("padding", [{}, {"pad_type": "same"}])
def test_timm(load_timm, padding):
  reference = small(**padding)
  model = load_timm(config(bool(padding)), reference)
  parity.assert_same(model, reference, model.config, within=1e-5)


def test_a_first_stage_of_two_convolutions(load_timm):
  """As efficientnetv2_rw_s has it."""
  coded = [["er_r2_k3_s1_e1_c8"], *CODED[1:]]
  blocks = timm.models._efficientnet_builder.decode_arch_def(coded)
  reference = parity.randomize(timm.models.efficientnet.EfficientNet(blocks, **SIZES))
  first = dataclasses.replace(STAGES[0], projects=True)
  built = dataclasses.replace(config(False), stages=(first, *STAGES[1:]))
  model = load_timm(built, reference)
  parity.assert_same(model, reference, model.config, gradient=False, within=1e-5)


def test_torchvision(load_bare):
  reference = small()
  state = checkpoints.renamed(
    reference.state_dict(),
    (r"^conv_stem", "features.0.0"),
    (r"^bn1", "features.0.1"),
    (r"^conv_head", "features.4.0"),
    (r"^bn2", "features.4.1"),
    (r"^classifier", "classifier.1"),
    (r"^blocks\.0\.(.)\.conv", r"features.1.\1.block.0.0"),
    (r"^blocks\.0\.(.)\.bn1", r"features.1.\1.block.0.1"),
    (r"^blocks\.1\.(.)\.conv_exp", r"features.2.\1.block.0.0"),
    (r"^blocks\.1\.(.)\.bn1", r"features.2.\1.block.0.1"),
    (r"^blocks\.1\.(.)\.conv_pwl", r"features.2.\1.block.1.0"),
    (r"^blocks\.1\.(.)\.bn2", r"features.2.\1.block.1.1"),
    (r"^blocks\.2\.(.)\.conv_pwl", r"features.3.\1.block.3.0"),
    (r"^blocks\.2\.(.)\.bn3", r"features.3.\1.block.3.1"),
    (r"^blocks\.2\.(.)\.conv_pw", r"features.3.\1.block.0.0"),
    (r"^blocks\.2\.(.)\.bn1", r"features.3.\1.block.0.1"),
    (r"^blocks\.2\.(.)\.conv_dw", r"features.3.\1.block.1.0"),
    (r"^blocks\.2\.(.)\.bn2", r"features.3.\1.block.1.1"),
    (r"^blocks\.2\.(.)\.se\.conv_reduce", r"features.3.\1.block.2.fc1"),
    (r"^blocks\.2\.(.)\.se\.conv_expand", r"features.3.\1.block.2.fc2"),
  )
  model = load_bare(config(False), state)
  parity.assert_same(model, reference, model.config, gradient=False, within=1e-5)


def test_weights_of_tensorflow_have_its_padding():
  assert (named("tf_efficientnetv2_s").same_padding, named("efficientnetv2_s").epsilon) == (
    True,
    1e-5,
  )
