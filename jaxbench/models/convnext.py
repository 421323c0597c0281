"""ConvNeXt (Liu et al., 2022, arXiv:2201.03545)."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
from flax import nnx

from jaxbench.models.classifier import Classifier, ClassifierConfig, imagenet
from jaxbench.models.family import HUGGINGFACE, TIMM, TORCHVISION, Family, Timm, Transformers
from jaxbench.models.layers import ACTIVATIONS, Conv, LayerList, LayerNorm, Linear
from jaxbench.models.weights import config_json
from jaxbench.models.weights.mapping import Renamings
from jaxbench.models.weights.processor import Images
from jaxbench.models.weights.sidecar import Fields, Unread


@dataclasses.dataclass(frozen=True, kw_only=True)
class ConvNeXtConfig(ClassifierConfig):
  """Everything that shapes a ConvNeXt; T is (3, 3, 9, 3) blocks of (96, 192, 384, 768)."""

  depths: tuple[int, ...]  # Blocks per stage.
  widths: tuple[int, ...]  # Channels per stage.
  head_epsilon: float = 1e-6  # Of the last layer norm.


class Block(nnx.Module):
  """A 7x7 convolution of each channel, then an MLP at each position, scaled and added."""

  def __init__(self, width: int, *, rngs: nnx.Rngs):
    self.depthwise = Conv(width, width, 7, groups=width, use_bias=True, rngs=rngs)
    self.norm = LayerNorm(width, 1e-6)
    self.fc1 = Linear(width, 4 * width, rngs=rngs)
    self.fc2 = Linear(4 * width, width, rngs=rngs)
    self.gamma = nnx.Param(jnp.full(width, 1e-6))

  def __call__(self, x: jax.Array) -> jax.Array:
    """float [B, H, W, C] -> the same shape."""
    y = self.norm(self.depthwise(x))
    y = self.fc2(ACTIVATIONS["gelu"](self.fc1(y)))
    return x + y * self.gamma[...].astype(x.dtype).reshape(1, 1, 1, -1)


class Downsample(nnx.Module):
  """Between two stages: layer norm, then 2x2 patches."""

  def __init__(self, inputs: int, outputs: int, *, rngs: nnx.Rngs):
    self.norm = LayerNorm(inputs, 1e-6)
    self.conv = Conv(inputs, outputs, 2, 2, padding=0, use_bias=True, rngs=rngs)

  def __call__(self, x: jax.Array) -> jax.Array:
    """float [B, H, W, C] -> [B, H / 2, W / 2, C']."""
    return self.conv(self.norm(x))


class ConvNeXt(Classifier):
  """A supervised classifier: images [B, H, W, 3] in [0, 1] -> logits [B, K]."""

  def __init__(self, config: ConvNeXtConfig, *, rngs: nnx.Rngs):
    self.config, widths = config, config.widths
    self.stem = Conv(3, widths[0], 4, 4, padding=0, use_bias=True, rngs=rngs)
    self.stem_norm = LayerNorm(widths[0], 1e-6)
    steps = itertools.pairwise(widths)
    self.downsamples = LayerList([Downsample(*step, rngs=rngs) for step in steps])
    self.stages = LayerList(
      [
        LayerList([Block(width, rngs=rngs) for _ in range(depth)])
        for depth, width in zip(config.depths, widths, strict=True)
      ]
    )
    self.head_norm = LayerNorm(widths[-1], config.head_epsilon)
    self.fc = Linear(widths[-1], config.num_classes, rngs=rngs)

  def logits(self, x: jax.Array) -> jax.Array:
    """Standardised images [B, H, W, 3] -> [B, K]."""
    x = self.stem_norm(self.stem(x))
    for index, stage in enumerate(self.stages):
      x = x if index == 0 else self.downsamples[index - 1](x)
      for block in stage:
        x = block(x)
    return self.fc(self.head_norm(x.mean(axis=(1, 2))))


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


_TIMM: Renamings = (
  (r"^stem\.", "stem.0."),
  (r"^stem_norm\.", "stem.1."),
  (r"^stages\.(\d+)\.(\d+)\.", r"stages.\1.blocks.\2."),
  *((rf"^downsamples\.{i}\.norm\.", f"stages.{i + 1}.downsample.0.") for i in range(3)),
  *((rf"^downsamples\.{i}\.conv\.", f"stages.{i + 1}.downsample.1.") for i in range(3)),
  (r"depthwise\.", "conv_dw."),
  (r"(blocks\.\d+)\.fc([12])\.", r"\1.mlp.fc\2."),
  (r"^head_norm\.", "head.norm."),
  (r"^fc\.", "head.fc."),
)
_HUGGINGFACE: Renamings = (
  (r"^stem\.", "convnext.embeddings.patch_embeddings."),
  (r"^stem_norm\.", "convnext.embeddings.layernorm."),
  (r"^stages\.(\d+)\.(\d+)\.", r"convnext.encoder.stages.\1.layers.\2."),
  *(
    (rf"^downsamples\.{i}\.", f"convnext.encoder.stages.{i + 1}.downsampling_layer.")
    for i in range(3)
  ),
  (r"downsampling_layer\.norm", "downsampling_layer.0"),
  (r"downsampling_layer\.conv", "downsampling_layer.1"),
  (r"depthwise\.", "dwconv."),
  (r"\.norm\.", ".layernorm."),
  (r"\.fc([12])\.", r".pwconv\1."),
  (r"gamma", "layer_scale_parameter"),
  (r"^head_norm\.", "convnext.layernorm."),
  (r"^fc\.", "classifier."),
)


def _read(fields: Fields, images: Images) -> ConvNeXtConfig:
  """ConvNextForImageClassification."""
  fields.choose("hidden_act", {"gelu": "gelu"}, "gelu")
  widths = fields.counts("hidden_sizes", [96, 192, 384, 768])
  if fields.count("num_stages", len(widths)) != len(widths):
    raise fields.error(f"num_stages contradicts hidden_sizes, which has {len(widths)}")
  return ConvNeXtConfig(
    depths=config_json.depths(fields, [3, 3, 9, 3], len(widths)),
    widths=widths,
    head_epsilon=fields.number("layer_norm_eps", 1e-12),
    num_classes=config_json.classes(fields),
    **images._asdict(),
  )


_NAMED = {
  "convnext_tiny": ConvNeXtConfig(
    depths=(3, 3, 9, 3), widths=(96, 192, 384, 768), **imagenet(resize=236)
  ),
  "convnext_base": ConvNeXtConfig(
    depths=(3, 3, 27, 3), widths=(128, 256, 512, 1024), **imagenet(resize=232)
  ),
}
FAMILY = Family(
  name="convnext",
  config=ConvNeXtConfig,
  module=ConvNeXt,
  named=_NAMED,
  sources={
    "convnext_tiny": ("facebook/convnext-tiny-224", "timm/convnext_tiny.fb_in1k"),
    "convnext_base": ("facebook/convnext-base-224", "timm/convnext_base.fb_in1k"),
  },
  layouts=lambda config: {
    TORCHVISION: [_torchvision(config)],
    TIMM: [_TIMM],
    HUGGINGFACE: [_HUGGINGFACE],
  },
  transformers=Transformers(
    model_type="convnext",
    processor="ConvNextImageProcessor",
    read=_read,
    # Its size is that of the image processor: no tensor depends on it.
    unread=Unread(
      config_json.COMMON | config_json.TRAINING | config_json.BACKBONE | {"image_size"},
      {**config_json.IMAGE, "patch_size": (4,)},
    ),
    built=lambda config: dataclasses.replace(config, head_epsilon=1e-12),
  ),
  timm=Timm(names={name: (name, {}) for name in _NAMED}),
)
