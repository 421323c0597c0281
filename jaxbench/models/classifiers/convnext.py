"""ConvNeXt (Liu et al., 2022, arXiv:2201.03545), and the trunk that its kin share."""

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any, ClassVar, TypeVar

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from jaxbench.models.classifiers.classifier import Classifier, ClassifierConfig, imagenet
from jaxbench.models.family import HUGGINGFACE, TIMM, TORCHVISION, Family, Timm, Transformers
from jaxbench.models.later import later
from jaxbench.models.parts.layers import ACTIVATIONS, Conv, LayerList, LayerNorm, Linear
from jaxbench.models.weights import config_json
from jaxbench.models.weights.mapping import Renamings
from jaxbench.models.weights.processor import Images
from jaxbench.models.weights.sidecar import Fields, Unread

T = TypeVar("T", bound="ConvNeXtConfig")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ConvNeXtConfig(ClassifierConfig):
  """Everything that shapes a ConvNeXt; T is (3, 3, 9, 3) blocks of (96, 192, 384, 768)."""

  activation: ClassVar[str] = "gelu"
  response_norm: ClassVar[bool] = False  # As V2 has it, in place of the scale of each block.

  depths: tuple[int, ...]  # Blocks per stage.
  widths: tuple[int, ...]  # Channels per stage.
  epsilon: float = later(1e-6)  # Of layer norms.
  head_epsilon: float = 1e-6  # Of the last one.


class ResponseNorm(nnx.Module):
  """Channels compete: each is scaled by its norm over positions, of the mean of all channels'."""

  def __init__(self, width: int):
    self.scale, self.bias = nnx.Param(jnp.zeros(width)), nnx.Param(jnp.zeros(width))

  def __call__(self, x: jax.Array) -> jax.Array:
    """float [B, H, W, C] -> the same shape."""
    y = x.astype(jnp.float32)
    squares = jnp.square(y).sum(axis=(1, 2), keepdims=True)
    # A channel of zeros has no gradient, as in torch; a root's would be infinite.
    norms = jnp.where(squares > 0, lax.sqrt(jnp.where(squares > 0, squares, 1)), 0)
    y = y * (norms / (norms.mean(axis=-1, keepdims=True) + 1e-6))
    scale, bias = (array[...].reshape(1, 1, 1, -1) for array in (self.scale, self.bias))
    return x + (y * scale.astype(y.dtype) + bias.astype(y.dtype)).astype(x.dtype)


class Block(nnx.Module):
  """A 7x7 convolution of each channel, then an MLP at each position, added."""

  def __init__(self, width: int, epsilon: float, response_norm: bool, *, rngs: nnx.Rngs):
    self.depthwise = Conv(width, width, 7, groups=width, use_bias=True, rngs=rngs)
    self.norm = LayerNorm(width, epsilon)
    self.fc1 = Linear(width, 4 * width, rngs=rngs)
    self.grn = ResponseNorm(4 * width) if response_norm else None
    self.fc2 = Linear(4 * width, width, rngs=rngs)
    self.gamma = None if response_norm else nnx.Param(jnp.full(width, 1e-6))

  def __call__(self, x: jax.Array) -> jax.Array:
    """float [B, H, W, C] -> the same shape."""
    y = ACTIVATIONS["gelu"](self.fc1(self.norm(self.depthwise(x))))
    y = self.fc2(y if self.grn is None else self.grn(y))
    if self.gamma is not None:
      y = y * self.gamma[...].astype(x.dtype).reshape(1, 1, 1, -1)
    return x + y


class Downsample(nnx.Module):
  """Between two stages: layer norm, then 2x2 patches."""

  def __init__(self, inputs: int, outputs: int, epsilon: float, *, rngs: nnx.Rngs):
    self.norm = LayerNorm(inputs, epsilon)
    self.conv = Conv(inputs, outputs, 2, 2, padding=0, use_bias=True, rngs=rngs)

  def __call__(self, x: jax.Array) -> jax.Array:
    """float [B, H, W, C] -> [B, H / 2, W / 2, C']."""
    return self.conv(self.norm(x))


class Trunk(nnx.Module):
  """All but the head, which a classifier and a CLIP have different."""

  def __init__(
    self,
    depths: Sequence[int],
    widths: Sequence[int],
    *,
    epsilon: float = 1e-6,
    response_norm: bool = False,
    rngs: nnx.Rngs,
  ):
    self.stem = Conv(3, widths[0], 4, 4, padding=0, use_bias=True, rngs=rngs)
    self.stem_norm = LayerNorm(widths[0], epsilon)
    steps = itertools.pairwise(widths)
    self.downsamples = LayerList([Downsample(*step, epsilon, rngs=rngs) for step in steps])
    self.stages = LayerList(
      [
        LayerList([Block(width, epsilon, response_norm, rngs=rngs) for _ in range(depth)])
        for depth, width in zip(depths, widths, strict=True)
      ]
    )

  def features(self, x: jax.Array) -> jax.Array:
    """Standardised images [B, H, W, 3] -> [B, H / 32, W / 32, C], neither pooled nor normed."""
    x = self.stem_norm(self.stem(x))
    for index, stage in enumerate(self.stages):
      x = x if index == 0 else self.downsamples[index - 1](x)
      for block in stage:
        x = block(x)
    return x


class ConvNeXt(Trunk, Classifier):
  """A supervised classifier: images [B, H, W, 3] in [0, 1] -> logits [B, K]."""

  config: ConvNeXtConfig

  def __init__(self, config: ConvNeXtConfig, *, rngs: nnx.Rngs):
    super().__init__(
      config.depths,
      config.widths,
      epsilon=config.epsilon,
      response_norm=config.response_norm,
      rngs=rngs,
    )
    self.config = config
    self.head_norm = LayerNorm(config.widths[-1], config.head_epsilon)
    self.fc = Linear(config.widths[-1], config.num_classes, rngs=rngs)

  def logits(self, x: jax.Array) -> jax.Array:
    """Standardised images [B, H, W, 3] -> [B, K]."""
    return self.fc(self.head_norm(self.features(x).mean(axis=(1, 2))))


def _torchvision(config: ConvNeXtConfig) -> Renamings:
  """Stages and the steps between them alternate."""
  parts = {"depthwise": 0, "norm": 2, "fc1": 3, "fc2": 5}
  stages = range(len(config.depths))
  return (
    (r"^stem\.", "features.0.0."),
    (r"^stem_norm\.", "features.0.1."),
    *(
      (rf"^stages\.{i}\.(\d+)\.{part}\.", rf"features.{2 * i + 1}.\1.block.{place}.")
      for i in stages
      for part, place in parts.items()
    ),
    *((rf"^stages\.{i}\.(\d+)\.gamma", rf"features.{2 * i + 1}.\1.layer_scale") for i in stages),
    *((rf"^downsamples\.{i}\.norm\.", f"features.{2 * i + 2}.0.") for i in stages),
    *((rf"^downsamples\.{i}\.conv\.", f"features.{2 * i + 2}.1.") for i in stages),
    (r"^head_norm\.", "classifier.0."),
    (r"^fc\.", "classifier.2."),
  )


# Of the trunk alone; CLIPs with this trunk have it under a prefix.
TIMM_TRUNK: Renamings = (
  (r"^stem\.", "stem.0."),
  (r"^stem_norm\.", "stem.1."),
  (r"^stages\.(\d+)\.(\d+)\.", r"stages.\1.blocks.\2."),
  *((rf"^downsamples\.{i}\.norm\.", f"stages.{i + 1}.downsample.0.") for i in range(3)),
  *((rf"^downsamples\.{i}\.conv\.", f"stages.{i + 1}.downsample.1.") for i in range(3)),
  (r"depthwise\.", "conv_dw."),
  (r"(blocks\.\d+)\.(fc1|grn|fc2)\.", r"\1.mlp.\2."),
)
TIMM_TENSORS: Renamings = (
  *TIMM_TRUNK,
  (r"^head_norm\.", "head.norm."),
  (r"^fc\.", "head.fc."),
)


def transformers_tensors(model_type: str) -> Renamings:
  """Under the name of its class's trunk."""
  return (
    (r"^stem\.", f"{model_type}.embeddings.patch_embeddings."),
    (r"^stem_norm\.", f"{model_type}.embeddings.layernorm."),
    (r"^stages\.(\d+)\.(\d+)\.", rf"{model_type}.encoder.stages.\1.layers.\2."),
    *(
      (rf"^downsamples\.{i}\.", f"{model_type}.encoder.stages.{i + 1}.downsampling_layer.")
      for i in range(3)
    ),
    (r"downsampling_layer\.norm", "downsampling_layer.0"),
    (r"downsampling_layer\.conv", "downsampling_layer.1"),
    (r"depthwise\.", "dwconv."),
    (r"\.norm\.", ".layernorm."),
    (r"\.fc([12])\.", r".pwconv\1."),
    (r"gamma", "layer_scale_parameter"),
    (r"^head_norm\.", f"{model_type}.layernorm."),
    (r"^fc\.", "classifier."),
  )


def read_transformers(fields: Fields, images: Images) -> dict[str, Any]:
  """Fields of a configuration, of ConvNextForImageClassification or its V2."""
  fields.choose("hidden_act", {"gelu": "gelu"}, "gelu")
  widths = fields.counts("hidden_sizes", [96, 192, 384, 768])
  if fields.count("num_stages", len(widths)) != len(widths):
    raise fields.error(f"num_stages contradicts hidden_sizes, which has {len(widths)}")
  return {
    "depths": config_json.depths(fields, [3, 3, 9, 3], len(widths)),
    "widths": widths,
    "head_epsilon": fields.number("layer_norm_eps", 1e-12),
    "num_classes": config_json.classes(fields),
    **images._asdict(),
  }


# Its size is that of the image processor: no tensor depends on it.
UNREAD = Unread(
  config_json.COMMON | config_json.TRAINING | config_json.BACKBONE | {"image_size"},
  {**config_json.IMAGE, "patch_size": (4,)},
)


def in_transformers(config: T) -> T:
  """Its classes have 1e-6 for all layer norms but the last."""
  return dataclasses.replace(config, head_epsilon=1e-12)


_TINY, _BASE = (3, 3, 9, 3), (3, 3, 27, 3)


def _sized(depths: tuple[int, ...], width: int, resize: int = 256) -> ConvNeXtConfig:
  """Each stage doubles the width."""
  widths = tuple(width * 2**i for i in range(4))
  return ConvNeXtConfig(depths=depths, widths=widths, **imagenet(resize=resize))


# Those of torchvision with the preprocessing of its weights.
_TORCHVISION = {
  "convnext_tiny": _sized(_TINY, 96, 236),
  "convnext_small": _sized(_BASE, 96, 230),
  "convnext_base": _sized(_BASE, 128, 232),
  "convnext_large": _sized(_BASE, 192, 232),
}
_NAMED = {
  "convnext_atto": _sized((2, 2, 6, 2), 40),
  "convnext_femto": _sized((2, 2, 6, 2), 48),
  "convnext_pico": _sized((2, 2, 6, 2), 64),
  "convnext_nano": _sized((2, 2, 8, 2), 80),
  **_TORCHVISION,
  "convnext_xlarge": _sized(_BASE, 256),
  "convnext_xxlarge": dataclasses.replace(
    _sized((3, 4, 30, 3), 384), epsilon=1e-5, head_epsilon=1e-5
  ),
}
_ON_THE_HUB = {
  "convnext_tiny": "facebook/convnext-tiny-224",
  "convnext_small": "facebook/convnext-small-224",
  "convnext_base": "facebook/convnext-base-224",
  "convnext_large": "facebook/convnext-large-224",
  "convnext_xlarge": "facebook/convnext-xlarge-224-22k-1k",
}
_TIMM = {
  "convnext_atto": "d2_in1k",
  "convnext_femto": "d1_in1k",
  "convnext_pico": "d1_in1k",
  "convnext_nano": "in12k_ft_in1k",
  **dict.fromkeys(_TORCHVISION, "fb_in1k"),
  "convnext_xlarge": "fb_in22k_ft_in1k",
  "convnext_xxlarge": "clip_laion2b_soup_ft_in1k",
}
FAMILY = Family(
  name="convnext",
  config=ConvNeXtConfig,
  module=ConvNeXt,
  named=_NAMED,
  sources={
    name: (*([_ON_THE_HUB[name]] if name in _ON_THE_HUB else []), f"timm/{name}.{tag}")
    for name, tag in _TIMM.items()
  },
  layouts=lambda config: {
    TORCHVISION: [_torchvision(config)],
    TIMM: [TIMM_TENSORS],
    HUGGINGFACE: [transformers_tensors("convnext")],
  },
  lacks={TORCHVISION: tuple(_NAMED.keys() - _TORCHVISION)},
  transformers=Transformers(
    model_type="convnext",
    processor="ConvNextImageProcessor",
    read=lambda fields, images: ConvNeXtConfig(**read_transformers(fields, images)),
    unread=UNREAD,
    built=in_transformers,
  ),
  timm=Timm(names={name: (name, {}) for name in _NAMED}),
)
