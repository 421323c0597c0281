"""EfficientNet-Lite: no gates, ReLU6, and a stem and a head that do not grow with the rest.

Of tensorflow/tpu, models/official/efficientnet/lite (2020), which has no paper of its own.
"""

from jaxbench.models.classifiers.classifier import imagenet
from jaxbench.models.classifiers.efficientnet import numbered
from jaxbench.models.family import EFFICIENTNET_LITE_PYTORCH, TIMM, Family, Timm
from jaxbench.models.parts.mbconv import B0, MBConvNet, MBConvNetConfig, scaled, timm_tensors
from jaxbench.models.weights.mapping import Renamings


class EfficientNetLiteConfig(MBConvNetConfig):
  """Everything that shapes an EfficientNet-Lite, after scaling."""

  activation = "relu6"
  squeeze_excite = False


def _efficientnet_lite_pytorch(config: EfficientNetLiteConfig) -> Renamings:
  return (
    (r"^stem\.", "_conv_stem."),
    (r"^stem_bn\.", "_bn0."),
    *numbered(config.stages, "_blocks"),
    (r"\.(expand|depthwise|project)\.", r"._\1_conv."),
    (r"\.expand_bn\.", "._bn0."),
    (r"\.depthwise_bn\.", "._bn1."),
    (r"\.project_bn\.", "._bn2."),
    (r"^head\.", "_conv_head."),
    (r"^head_bn\.", "_bn1."),
    (r"^fc\.", "_fc."),
  )


# Width, depth, size of images.
_SIZES = {
  "lite0": (1.0, 1.0, 224),
  "lite1": (1.0, 1.1, 240),
  "lite2": (1.1, 1.2, 260),
  "lite3": (1.2, 1.4, 280),
  "lite4": (1.4, 1.8, 300),
}


def _sized(name: str) -> EfficientNetLiteConfig:
  """The weights of TensorFlow, which efficientnet_lite_pytorch has converted.

  Their mean and std are those of `efficientnet_lite_builder.py` there, their crop, seven eighths of
  the short side, that of `preprocessing.py`. The converter's README shows ImageNet's mean and std,
  in an example of EfficientNet-B0 that it has kept: with them a Lite0 has 76 % of 200 photographs
  of ImageNet right, with its own 89 %.
  """
  width, depth, size = _SIZES[name]
  first, *middle, last = B0
  return EfficientNetLiteConfig(
    stem=32,
    stages=(
      *scaled([first], width, 1),
      *scaled(middle, width, depth),
      *scaled([last], width, 1),
    ),
    head=1280,
    epsilon=1e-3,
    same_padding=True,
    mean=(127 / 255,) * 3,
    std=(128 / 255,) * 3,
    **imagenet(size, size + round(size / 7), "bicubic"),
  )


FAMILY = Family(
  name="efficientnet_lite",
  config=EfficientNetLiteConfig,
  module=MBConvNet,
  named={f"efficientnet_{name}": _sized(name) for name in _SIZES},
  sources={f"efficientnet_{name}": (f"timm/tf_efficientnet_{name}.in1k",) for name in _SIZES},
  layouts=lambda config: {
    EFFICIENTNET_LITE_PYTORCH: [_efficientnet_lite_pytorch(config)],
    TIMM: [timm_tensors(config)],
  },
  # Those that timm has trained itself have torch's padding and epsilon.
  timm=Timm(
    names={f"tf_efficientnet_{name}": (f"efficientnet_{name}", {}) for name in _SIZES}
    | {
      f"efficientnet_{name}": (f"efficientnet_{name}", {"epsilon": 1e-5, "same_padding": False})
      for name in _SIZES
    }
  ),
)
