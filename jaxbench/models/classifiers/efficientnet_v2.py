"""EfficientNetV2 (Tan and Le, 2021, arXiv:2104.00298)."""

import dataclasses
from typing import Any

from jaxbench.models.classifiers.classifier import imagenet
from jaxbench.models.classifiers.efficientnet import torchvision_tensors
from jaxbench.models.family import TIMM, TORCHVISION, Family, Timm
from jaxbench.models.parts.mbconv import (
  MBConvNet,
  MBConvNetConfig,
  Stage,
  round_channels,
  scaled,
  timm_tensors,
)


class EfficientNetV2Config(MBConvNetConfig):
  """Everything that shapes an EfficientNetV2."""

  activation = "silu"
  squeeze_excite = True


# Blocks of fused convolutions, then blocks with gates; of each (depth, channels, stride, expand).
_Rows = tuple[tuple[int, int, int, int], ...]
_FUSED: dict[str, _Rows] = {
  "b": ((1, 16, 1, 1), (2, 32, 2, 4), (2, 48, 2, 4)),
  "s": ((2, 24, 1, 1), (4, 48, 2, 4), (4, 64, 2, 4)),
  "m": ((3, 24, 1, 1), (5, 48, 2, 4), (5, 80, 2, 4)),
  "l": ((4, 32, 1, 1), (7, 64, 2, 4), (7, 96, 2, 4)),
  "xl": ((4, 32, 1, 1), (8, 64, 2, 4), (8, 96, 2, 4)),
}
_GATED: dict[str, _Rows] = {
  "b": ((3, 96, 2, 4), (5, 112, 1, 6), (8, 192, 2, 6)),
  "s": ((6, 128, 2, 4), (9, 160, 1, 6), (15, 256, 2, 6)),
  "m": ((7, 160, 2, 4), (14, 176, 1, 6), (18, 304, 2, 6), (5, 512, 1, 6)),
  "l": ((10, 192, 2, 4), (19, 224, 1, 6), (25, 384, 2, 6), (7, 640, 1, 6)),
  "xl": ((16, 192, 2, 4), (24, 256, 1, 6), (32, 512, 2, 6), (8, 640, 1, 6)),
}


def _stages(size: str) -> tuple[Stage, ...]:
  rows = [(row, True) for row in _FUSED[size]] + [(row, False) for row in _GATED[size]]
  return tuple(
    Stage(depth, channels, 3, stride, expand, fused)
    for (depth, channels, stride, expand), fused in rows
  )


def _sized(size: str, shown: dict[str, Any]) -> EfficientNetV2Config:
  """As torchvision has it, with TensorFlow's epsilon and torch's padding."""
  stages = _stages(size)
  return EfficientNetV2Config(
    stem=stages[0].channels,
    stages=stages,
    head=1280,
    epsilon=1e-3,
    same_padding=False,
    **shown,
  )


def _before(stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
  """The first blocks have two convolutions, the last ones more channels."""
  first, *others, last = stages
  first, last = dataclasses.replace(first, projects=True), dataclasses.replace(last, channels=272)
  return (first, *others, last)


def _scaled(
  size: str, stem: int, width: float, depth: float, least: float, shown: dict[str, Any]
) -> EfficientNetV2Config:
  return EfficientNetV2Config(
    stem=round_channels(stem * width, least=least),
    stages=scaled(_stages(size), width, depth, least=least),
    head=round_channels(1280 * width, least=least),
    epsilon=1e-3,
    same_padding=True,
    **shown,
  )


_HALF = {"mean": (0.5,) * 3, "std": (0.5,) * 3}
_TORCHVISION = {
  "efficientnet_v2_s": _sized("s", imagenet(384, 384)),
  "efficientnet_v2_m": _sized("m", imagenet(480, 480)),
  "efficientnet_v2_l": _sized("l", {**imagenet(480, 480, "bicubic"), **_HALF}),
}
# Those of B0 to B3 and rw_t that torchvision lacks: how wide, how deep, and images of their tests.
_NAMED = {
  **_TORCHVISION,
  "efficientnet_v2_xl": dataclasses.replace(
    _sized("xl", {**imagenet(512, 512, "bicubic"), **_HALF}), same_padding=True
  ),
  "efficientnet_v2_b0": _scaled("b", 32, 1.0, 1.0, 0, imagenet(224, 256, "bicubic")),
  "efficientnet_v2_b1": _scaled("b", 32, 1.0, 1.1, 0, imagenet(240, 272, "bicubic")),
  "efficientnet_v2_b2": _scaled("b", 32, 1.1, 1.2, 0, imagenet(260, 292, "bicubic")),
  "efficientnet_v2_b3": _scaled("b", 32, 1.2, 1.4, 0, imagenet(300, 331, "bicubic")),
  "efficientnet_v2_rw_t": dataclasses.replace(
    _scaled("s", 24, 0.8, 0.9, 0.9, imagenet(288, 288, "bicubic")), same_padding=False, epsilon=1e-5
  ),
}
# Built before the authors' own was published.
_NAMED["efficientnet_v2_rw_s"] = dataclasses.replace(
  _sized("s", imagenet(384, 384, "bicubic")), stages=_before(_stages("s")), head=1792, epsilon=1e-5
)
_PORTED = {"epsilon": 1e-3, "same_padding": True}  # Weights of TensorFlow.
_TIMM_NAMES: dict[str, tuple[str, dict[str, Any]]] = {
  **{
    f"tf_efficientnetv2_{size}": (f"efficientnet_v2_{size}", _PORTED)
    for size in ("s", "m", "l", "xl", "b0", "b1", "b2", "b3")
  },
  **{
    f"efficientnetv2_{size}": (
      f"efficientnet_v2_{size}",
      {"epsilon": 1e-5, "same_padding": False},
    )
    for size in ("s", "m", "l", "xl", "rw_t", "rw_s")
  },
}
_TAGS = {"efficientnet_v2_xl": "in21k_ft_in1k"}
FAMILY = Family(
  name="efficientnet_v2",
  config=EfficientNetV2Config,
  module=MBConvNet,
  named=_NAMED,
  sources={
    name: (f"timm/tf_efficientnetv2_{name.rpartition('_')[2]}.{_TAGS.get(name, 'in1k')}",)
    for name in _NAMED
    if "_rw_" not in name
  }
  | {f"efficientnet_v2_rw_{size}": (f"timm/efficientnetv2_rw_{size}.ra2_in1k",) for size in "ts"},
  layouts=lambda config: {
    TORCHVISION: [torchvision_tensors(config)],
    TIMM: [timm_tensors(config)],
  },
  lacks={TORCHVISION: tuple(_NAMED.keys() - _TORCHVISION)},
  timm=Timm(names=_TIMM_NAMES),
)
