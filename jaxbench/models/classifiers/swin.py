"""Swin Transformer (Liu et al., 2021, arXiv:2103.14030)."""

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

import jax
from flax import nnx

from jaxbench import errors
from jaxbench.models.classifiers.classifier import Classifier, ClassifierConfig, imagenet
from jaxbench.models.family import HUGGINGFACE, TIMM, TORCHVISION, Family, Timm, Transformers
from jaxbench.models.parts.layers import ACTIVATIONS, Conv, LayerList, LayerNorm, Linear
from jaxbench.models.parts.window_attention import WindowAttention, Windows
from jaxbench.models.weights import config_json
from jaxbench.models.weights.mapping import Renamings
from jaxbench.models.weights.processor import Images, fitting
from jaxbench.models.weights.sidecar import Fields, Unread

PATCH, EPSILON = 4, 1e-5


@dataclasses.dataclass(frozen=True, kw_only=True)
class SwinConfig(ClassifierConfig):
  """Everything that shapes a Swin; T is (2, 2, 6, 2) blocks of (3, 6, 12, 24) heads."""

  activation: ClassVar[str] = "gelu"

  depths: tuple[int, ...]  # Blocks per stage.
  heads: tuple[int, ...]  # Per stage.
  width: int  # Of the first stage; each later stage doubles it.
  window: int  # Positions on a side within which a block attends.


class Block(nnx.Module):
  """Attention in windows, then an MLP, each behind its layer norm."""

  def __init__(self, width: int, heads: int, windows: Windows, *, rngs: nnx.Rngs):
    self.norm1, self.norm2 = LayerNorm(width, EPSILON), LayerNorm(width, EPSILON)
    self.attn = WindowAttention(width, heads, windows, rngs=rngs)
    self.fc1, self.fc2 = Linear(width, 4 * width, rngs=rngs), Linear(4 * width, width, rngs=rngs)

  def __call__(self, x: jax.Array) -> jax.Array:
    """float [B, H, W, C] -> the same shape."""
    x = x + self.attn(self.norm1(x))
    return x + self.fc2(ACTIVATIONS["gelu"](self.fc1(self.norm2(x))))


class Merge(nnx.Module):
  """Between two stages: four neighbours become one position, twice as wide."""

  def __init__(self, inputs: int, *, rngs: nnx.Rngs):
    self.norm = LayerNorm(4 * inputs, EPSILON)
    self.reduction = Linear(4 * inputs, 2 * inputs, use_bias=False, rngs=rngs)

  def __call__(self, x: jax.Array) -> jax.Array:
    """float [B, H, W, C] -> [B, H / 2, W / 2, 2 C]."""
    return self.reduction(self.norm(neighbours(x)))


def neighbours(x: jax.Array) -> jax.Array:
  """float [B, H, W, C] -> [B, H / 2, W / 2, 4 C], four positions beside each other."""
  batch, height, width, channels = x.shape
  x = x.reshape(batch, height // 2, 2, width // 2, 2, channels)
  return x.transpose(0, 1, 3, 4, 2, 5).reshape(batch, height // 2, width // 2, 4 * channels)


class Stages(Classifier):
  """Patches, stages of blocks with a step between two, the mean, a linear layer.

  Args:
    config: see there.
    block: of a stage, width, heads and windows -> the network of one.
    merge: of a width -> the network of a step.
    rngs: of the weights.
  """

  def __init__(
    self,
    config: SwinConfig,
    block: Callable[[int, int, int, Windows], nnx.Module],
    merge: Callable[[int], nnx.Module],
    *,
    rngs: nnx.Rngs,
  ):
    self.config, width = config, config.width
    self.conv1 = Conv(3, width, PATCH, PATCH, padding=0, use_bias=True, rngs=rngs)
    self.norm_pre = LayerNorm(width, EPSILON)
    stages, merges = [], []
    for index, (depth, heads) in enumerate(zip(config.depths, config.heads, strict=True)):
      if index:
        merges.append(merge(width))
        width *= 2
      pair = _windows(config, index)  # They take turns.
      blocks = [block(index, width, heads, pair[i % 2]) for i in range(depth)]
      stages.append(LayerList(blocks))
    self.stages, self.merges = LayerList(stages), LayerList(merges)
    self.norm = LayerNorm(width, EPSILON)
    self.fc = Linear(width, config.num_classes, rngs=rngs)

  def logits(self, x: jax.Array) -> jax.Array:
    """Standardised images [B, H, W, 3] -> [B, K]."""
    x = self.norm_pre(self.conv1(x))
    for index, stage in enumerate(self.stages):
      x = self.merges[index - 1](x) if index else x
      for block in stage:
        x = block(x)
    return self.fc(self.norm(x).mean(axis=(1, 2)))


class Swin(Stages):
  """A supervised classifier: images [B, H, W, 3] in [0, 1] -> logits [B, K]."""

  def __init__(self, config: SwinConfig, *, rngs: nnx.Rngs):
    super().__init__(
      config,
      lambda stage, width, heads, windows: Block(width, heads, windows, rngs=rngs),
      lambda width: Merge(width, rngs=rngs),
      rngs=rngs,
    )


def _windows(config: SwinConfig, stage: int) -> tuple[Windows, Windows]:
  """Those of a stage, as they are and shifted; they are not where one window sees all.

  Raises:
    InputError: windows do not fill the image.
  """
  size = config.preprocess.size
  side, rest = divmod(size, PATCH * 2**stage)
  window = min(config.window, side)
  if rest or not side or side % window:
    raise errors.InputError(
      f"images of {size} pixels are not filled by windows of {config.window} in stage {stage + 1}: "
      "not supported"
    )
  return Windows(side, window), Windows(side, window, 0 if side == window else window // 2)


def _torchvision(config: SwinConfig) -> Renamings:
  """Stages and the steps between them alternate."""
  stages = range(len(config.depths))
  return (
    (r"^conv1\.", "features.0.0."),
    (r"^norm_pre\.", "features.0.2."),
    *((rf"^stages\.{i}\.", f"features.{2 * i + 1}.") for i in stages),
    *((rf"^merges\.{i}\.", f"features.{2 * i + 2}.") for i in stages),
    (r"\.fc1\.", ".mlp.0."),
    (r"\.fc2\.", ".mlp.3."),
    (r"bias_table$", "relative_position_bias_table"),
    (r"^fc\.", "head."),
  )


def timm_layout(config: SwinConfig, first: int, head: str) -> Renamings:
  """`first` is the stage that the first step between two stages belongs to."""
  return (
    (r"^conv1\.", "patch_embed.proj."),
    (r"^norm_pre\.", "patch_embed.norm."),
    (r"^stages\.(\d+)\.", r"layers.\1.blocks."),
    *((rf"^merges\.{i}\.", f"layers.{i + first}.downsample.") for i in range(len(config.depths))),
    (r"\.(fc[12])\.", r".mlp.\1."),
    (r"bias_table$", "relative_position_bias_table"),
    (r"^fc\.", head),
  )


def huggingface_layout(network: str) -> Renamings:
  """`network` is how transformers calls it."""
  return (
    (r"^conv1\.", f"{network}.embeddings.patch_embeddings.projection."),
    (r"^norm_pre\.", f"{network}.embeddings.norm."),
    (r"^stages\.(\d+)\.", rf"{network}.encoder.layers.\1.blocks."),
    (r"^merges\.(\d+)\.", rf"{network}.encoder.layers.\1.downsample."),
    (r"\.norm1\.", ".layernorm_before."),
    (r"\.norm2\.", ".layernorm_after."),
    (r"attn\.qkv\.", "attention.self.{query,key,value}."),
    (r"attn\.proj\.", "attention.output.dense."),
    (r"attn\.bias_table", "attention.self.relative_position_bias_table"),
    (r"\.fc1\.", ".intermediate.dense."),
    (r"\.fc2\.", ".output.dense."),
    (r"^norm\.", f"{network}.layernorm."),
    (r"^fc\.", "classifier."),
  )


def sizes(fields: Fields, images: Images) -> dict[str, Any]:
  """What transformers' configuration says of the first and the second Swin alike."""
  fields.choose("hidden_act", {"gelu": "gelu"}, "gelu")
  depths, heads = fields.counts("depths", [2, 2, 6, 2]), fields.counts("num_heads", [3, 6, 12, 24])
  width = fields.count("embed_dim", 96)
  if len(heads) != len(depths) or fields.count("num_layers", len(depths)) != len(depths):
    raise fields.error(f"depths has {len(depths)} stages, num_heads or num_layers another number")
  last = width * 2 ** (len(depths) - 1)
  if fields.count("hidden_size", last) != last:
    raise fields.error(f"hidden_size is not {last}, which embed_dim and depths give")
  if any(width * 2**i % number for i, number in enumerate(heads)):
    raise fields.error(f"num_heads {list(heads)} do not divide the widths of their stages")
  return {
    "depths": depths,
    "heads": heads,
    "width": width,
    "window": fields.count("window_size", 7),
    "num_classes": config_json.classes(fields),
    **fitting(fields.path, images, fields.side("image_size", 224))._asdict(),
  }


def _read(fields: Fields, images: Images) -> SwinConfig:
  """SwinForImageClassification."""
  return SwinConfig(**sizes(fields, images))


UNREAD = Unread(
  config_json.COMMON | config_json.TRAINING | config_json.BACKBONE | {"encoder_stride"},
  {
    **config_json.IMAGE,
    "patch_size": (PATCH,),
    "qkv_bias": (True,),
    "mlp_ratio": (4.0, 4),
    "layer_norm_eps": (EPSILON,),
    "use_absolute_embeddings": (False,),
  },
)
SIZES = {
  "t": ((2, 2, 6, 2), (3, 6, 12, 24), 96, 232),
  "s": ((2, 2, 18, 2), (3, 6, 12, 24), 96, 246),
  "b": ((2, 2, 18, 2), (4, 8, 16, 32), 128, 238),
  "l": ((2, 2, 18, 2), (6, 12, 24, 48), 192, 248),
}


def _named() -> dict[str, SwinConfig]:
  """Torchvision's by its preprocessing; the rest by that of their authors, which timm has."""
  named = {}
  for size, (depths, heads, width, resize) in SIZES.items():
    shape: dict[str, Any] = {"depths": depths, "heads": heads, "width": width}
    shown = imagenet(224, resize, "bicubic")
    named[f"swin_{size}"] = SwinConfig(**shape, window=7, **shown)
  for size in ("b", "l"):
    shown = imagenet(384, 384, "bicubic")
    named[f"swin_{size}_384"] = dataclasses.replace(named[f"swin_{size}"], window=12, **shown)
  return named


_NAMED = _named()
_PUBLISHED = {
  "swin_t": "tiny_patch4_window7_224",
  "swin_s": "small_patch4_window7_224",
  "swin_b": "base_patch4_window7_224",
  "swin_l": "large_patch4_window7_224",
  "swin_b_384": "base_patch4_window12_384",
  "swin_l_384": "large_patch4_window12_384",
}
FAMILY = Family(
  name="swin",
  config=SwinConfig,
  module=Swin,
  named=_NAMED,
  sources={
    name: (
      f"microsoft/swin-{theirs.replace('_', '-')}",
      f"timm/swin_{theirs}.ms_{'in22k_ft_in1k' if name[5] == 'l' else 'in1k'}",
    )
    for name, theirs in _PUBLISHED.items()
  },
  layouts=lambda config: {
    TORCHVISION: [_torchvision(config)],
    # Its authors' files, which timm reads as well, have a step at the end of a stage.
    TIMM: [timm_layout(config, 1, "head.fc."), timm_layout(config, 0, "head.")],
    HUGGINGFACE: [huggingface_layout("swin")],
  },
  lacks={TORCHVISION: ("swin_l", "swin_b_384", "swin_l_384")},
  transformers=Transformers(
    model_type="swin",
    processor="ViTImageProcessor",
    read=_read,
    unread=UNREAD,
  ),
  timm=Timm(names={f"swin_{theirs}": (name, {}) for name, theirs in _PUBLISHED.items()}),
)
