"""ConvNeXt V2 (Woo et al., 2023, arXiv:2301.00808): response norms in place of layer scales."""

from jaxbench.models.classifiers.classifier import imagenet
from jaxbench.models.classifiers.convnext import (
  TIMM_TENSORS,
  UNREAD,
  ConvNeXt,
  ConvNeXtConfig,
  in_transformers,
  read_transformers,
  transformers_tensors,
)
from jaxbench.models.family import HUGGINGFACE, TIMM, Family, Timm, Transformers


class ConvNeXtV2Config(ConvNeXtConfig):
  """Everything that shapes a ConvNeXt V2."""

  response_norm = True


# Depths, and the width that each stage doubles.
_SIZES = {
  "atto": ((2, 2, 6, 2), 40),
  "femto": ((2, 2, 6, 2), 48),
  "pico": ((2, 2, 6, 2), 64),
  "nano": ((2, 2, 8, 2), 80),
  "tiny": ((3, 3, 9, 3), 96),
  "small": ((3, 3, 27, 3), 96),
  "base": ((3, 3, 27, 3), 128),
  "large": ((3, 3, 27, 3), 192),
  "huge": ((3, 3, 27, 3), 352),
}
_NAMED = {
  f"convnextv2_{name}": ConvNeXtV2Config(
    depths=depths, widths=tuple(width * 2**i for i in range(4)), **imagenet(interpolation="bicubic")
  )
  for name, (depths, width) in _SIZES.items()
}
FAMILY = Family(
  name="convnext_v2",
  config=ConvNeXtV2Config,
  module=ConvNeXt,
  named=_NAMED,
  # Nobody has published weights of the size small.
  sources={
    f"convnextv2_{name}": (
      f"facebook/convnextv2-{name}-{'1k-224' if name != 'huge' else '22k-384'}",
      f"timm/convnextv2_{name}.fcmae_ft_in1k",
    )
    for name in _SIZES
    if name != "small"
  },
  layouts=lambda config: {
    TIMM: [TIMM_TENSORS],
    HUGGINGFACE: [transformers_tensors("convnextv2")],
  },
  transformers=Transformers(
    model_type="convnextv2",
    processor="ConvNextImageProcessor",
    read=lambda fields, images: ConvNeXtV2Config(**read_transformers(fields, images)),
    unread=UNREAD,
    built=in_transformers,
  ),
  timm=Timm(names={name: (name, {}) for name in _NAMED}),
)
