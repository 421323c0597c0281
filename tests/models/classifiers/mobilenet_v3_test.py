import pytest
from references import checkpoints, parity
from references.writers import timm
from torch import nn

from jaxbench import models
from jaxbench.models.classifiers.mobilenet_v3 import MobileNetV3Config, Row

STAGES = (
  (Row(16, 16, 3, 2, True, False),),
  (Row(64, 24, 5, 2, False, True), Row(72, 24, 3, 1, True, True)),
)
CODED = [
  ["ds_r1_k3_s2_e1_c16_se0.25_nre"],
  ["ir_r1_k5_s2_e4_c24", "ir_r1_k3_s1_e3_c24_se0.25"],
  ["cn_r1_k1_s1_c40"],
]


def small(**padding):
  round_channels = timm.models._efficientnet_builder.round_channels
  gate = {"gate_layer": "hard_sigmoid", "force_act_layer": nn.ReLU, "rd_round_fn": round_channels}

  def squeeze(*arguments, **options):
    return timm.models._efficientnet_blocks.SqueezeExcite(*arguments, **{**options, **gate})

  network = timm.models.mobilenetv3.MobileNetV3(
    timm.models._efficientnet_builder.decode_arch_def(CODED),
    num_features=32,
    num_classes=5,
    act_layer=nn.Hardswish,
    se_layer=squeeze,
    **padding,
  )
  return parity.randomize(network)


def config(same_padding):
  images = {"num_classes": 5, "preprocess": models.Preprocess(32)}
  sizes = {"stem": 16, "stages": STAGES, "last": 40, "head": 32, "epsilon": 1e-5}
  return MobileNetV3Config(**sizes, same_padding=same_padding, **images)


@pytest.mark.slow
@pytest.mark.parametrize("padding", [{}, {"pad_type": "same"}])
def test_timm(load_timm, padding):
  reference = small(**padding)
  model = load_timm(config(bool(padding)), reference)
  parity.assert_same(model, reference, model.config, within=1e-5)


def test_torchvision(load_bare):
  reference = small()
  state = checkpoints.renamed(
    reference.state_dict(),
    (r"^conv_stem", "features.0.0"),
    (r"^bn1", "features.0.1"),
    (r"^conv_head", "classifier.0"),
    (r"^classifier\.(weight|bias)", r"classifier.3.\1"),
    (r"^classifier\.3\.0", "classifier.0"),
    (r"^blocks\.2\.0\.conv", "features.4.0"),
    (r"^blocks\.2\.0\.bn1", "features.4.1"),
    (r"^blocks\.0\.0\.conv_dw", "features.1.block.0.0"),
    (r"^blocks\.0\.0\.bn1", "features.1.block.0.1"),
    (r"^blocks\.0\.0\.se\.conv_reduce", "features.1.block.1.fc1"),
    (r"^blocks\.0\.0\.se\.conv_expand", "features.1.block.1.fc2"),
    (r"^blocks\.0\.0\.conv_pw", "features.1.block.2.0"),
    (r"^blocks\.0\.0\.bn2", "features.1.block.2.1"),
    (r"^blocks\.1\.0\.conv_pwl", "features.2.block.2.0"),
    (r"^blocks\.1\.0\.bn3", "features.2.block.2.1"),
    (r"^blocks\.1\.1\.conv_pwl", "features.3.block.3.0"),
    (r"^blocks\.1\.1\.bn3", "features.3.block.3.1"),
    (r"^blocks\.1\.1\.se\.conv_reduce", "features.3.block.2.fc1"),
    (r"^blocks\.1\.1\.se\.conv_expand", "features.3.block.2.fc2"),
    (r"^blocks\.1\.0", "features.2"),
    (r"^blocks\.1\.1", "features.3"),
    (r"\.conv_pw", ".block.0.0"),
    (r"\.bn1", ".block.0.1"),
    (r"\.conv_dw", ".block.1.0"),
    (r"\.bn2", ".block.1.1"),
  )
  model = load_bare(config(False), state)
  parity.assert_same(model, reference, model.config, gradient=False, within=1e-5)
