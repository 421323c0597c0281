"""What the first and the second Swin have in common (Liu et al., 2021, arXiv:2103.14030)."""

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

import jax
from flax import nnx

from jaxbench import errors
from jaxbench.models.classifiers.classifier import Classifier, ClassifierConfig
from jaxbench.models.parts.layers import Conv, LayerList, LayerNorm, Linear
from jaxbench.models.parts.window_attention import Windows
from jaxbench.models.weights import config_json
from jaxbench.models.weights.mapping import Renamings
from jaxbench.models.weights.processor import Images, fitting
from jaxbench.models.weights.sidecar import Fields, Unread

PATCH, EPSILON = 4, 1e-5
# Depths, heads and width of the first stage.
SIZES = {
  "t": ((2, 2, 6, 2), (3, 6, 12, 24), 96),
  "s": ((2, 2, 18, 2), (3, 6, 12, 24), 96),
  "b": ((2, 2, 18, 2), (4, 8, 16, 32), 128),
  "l": ((2, 2, 18, 2), (6, 12, 24, 48), 192),
}
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


@dataclasses.dataclass(frozen=True, kw_only=True)
class SwinConfig(ClassifierConfig):
  """Everything that shapes a Swin; T is (2, 2, 6, 2) blocks of (3, 6, 12, 24) heads."""

  activation: ClassVar[str] = "gelu"

  depths: tuple[int, ...]  # Blocks per stage.
  heads: tuple[int, ...]  # Per stage.
  width: int  # Of the first stage; each later stage doubles it.
  window: int  # Positions on a side within which a block attends.


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
