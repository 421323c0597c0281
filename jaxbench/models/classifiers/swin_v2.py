"""Swin Transformer V2 (Liu et al., 2021, arXiv:2111.09883)."""

import dataclasses
import re
from collections.abc import Iterator

import jax
from flax import nnx

from jaxbench.models.classifiers.classifier import imagenet
from jaxbench.models.classifiers.swin_stages import (
  EPSILON,
  SIZES,
  UNREAD,
  Stages,
  SwinConfig,
  huggingface_layout,
  neighbours,
  sizes,
  timm_layout,
)
from jaxbench.models.family import HUGGINGFACE, TIMM, Family, Timm, Transformers
from jaxbench.models.parts.layers import ACTIVATIONS, LayerNorm, Linear
from jaxbench.models.parts.window_attention import CosineWindowAttention, Windows
from jaxbench.models.weights.mapping import Renamings
from jaxbench.models.weights.processor import Images
from jaxbench.models.weights.sidecar import Fields


@dataclasses.dataclass(frozen=True, kw_only=True)
class SwinV2Config(SwinConfig):
  """Everything that shapes a Swin V2."""

  # Per stage, the window that distances are measured by; 0 for its own.
  trained_windows: tuple[int, ...] = (0, 0, 0, 0)
  twice_apart: bool = False  # See `CosineWindowAttention`.


class Block(nnx.Module):
  """Attention in windows, then an MLP, each in front of its layer norm."""

  def __init__(self, width: int, attention: CosineWindowAttention, *, rngs: nnx.Rngs):
    self.norm1, self.norm2 = LayerNorm(width, EPSILON), LayerNorm(width, EPSILON)
    self.attn = attention
    self.fc1, self.fc2 = Linear(width, 4 * width, rngs=rngs), Linear(4 * width, width, rngs=rngs)

  def __call__(self, x: jax.Array) -> jax.Array:
    """float [B, H, W, C] -> the same shape."""
    x = x + self.norm1(self.attn(x))
    return x + self.norm2(self.fc2(ACTIVATIONS["gelu"](self.fc1(x))))


class Merge(nnx.Module):
  """Between two stages: four neighbours become one position, twice as wide."""

  def __init__(self, inputs: int, *, rngs: nnx.Rngs):
    self.reduction = Linear(4 * inputs, 2 * inputs, use_bias=False, rngs=rngs)
    self.norm = LayerNorm(2 * inputs, EPSILON)

  def __call__(self, x: jax.Array) -> jax.Array:
    """float [B, H, W, C] -> [B, H / 2, W / 2, 2 C]."""
    return self.norm(self.reduction(neighbours(x)))


class SwinV2(Stages):
  """A supervised classifier: images [B, H, W, 3] in [0, 1] -> logits [B, K]."""

  def __init__(self, config: SwinV2Config, *, rngs: nnx.Rngs):
    def block(stage: int, width: int, heads: int, windows: Windows) -> Block:
      trained, twice = config.trained_windows[stage], config.twice_apart
      attention = CosineWindowAttention(
        width, heads, windows, trained=trained, twice=twice, rngs=rngs
      )
      return Block(width, attention, rngs=rngs)

    super().__init__(config, block, lambda width: Merge(width, rngs=rngs), rngs=rngs)


def _attention(biases: str, layers: str) -> Renamings:
  """What the first Swin has not."""
  return (
    (r"qv_bias$", biases),
    (r"log_scale$", "logit_scale"),
    (r"bias_fc1\.", f"{layers}.0."),
    (r"bias_fc2\.", f"{layers}.2."),
  )


def _timm(config: SwinV2Config, first: int, head: str) -> Renamings:
  return (*_attention("{q_bias,v_bias}", "cpb_mlp"), *timm_layout(config, first, head))


_HUGGINGFACE: Renamings = (
  *_attention("{query,value}.bias", "continuous_position_bias_mlp"),
  *huggingface_layout("swinv2"),
  (r"\.attn\.", ".attention.self."),
)


def _read(fields: Fields, images: Images) -> SwinV2Config:
  """Swinv2ForImageClassification."""
  shape = sizes(fields, images)
  stages = len(shape["depths"])
  windows = fields.counts("pretrained_window_sizes", [0] * stages, zeros=True)
  if len(windows) < stages:
    raise fields.error(f"pretrained_window_sizes {list(windows)} are fewer than {stages} stages")
  return SwinV2Config(**shape, trained_windows=windows[:stages], twice_apart=True)


# timm's names: size, window, and the pixels of images.
_PUBLISHED = (
  "tiny_window8_256",
  "tiny_window16_256",
  "small_window8_256",
  "small_window16_256",
  "base_window8_256",
  "base_window16_256",
  "base_window12_192",
  "base_window12to16_192to256",
  "base_window12to24_192to384",
  "large_window12_192",
  "large_window12to16_192to256",
  "large_window12to24_192to384",
)


def _named() -> Iterator[tuple[str, str, SwinV2Config]]:
  """timm's name, ours and the configuration, with the images of the last training."""
  for name in _PUBLISHED:
    size, windows, pixels = name.split("_")
    first, *then = (int(number) for number in re.findall(r"\d+", windows))
    side = int(pixels.rpartition("to")[2])
    depths, heads, width = SIZES[size[0]]
    config = SwinV2Config(
      depths=depths,
      heads=heads,
      width=width,
      window=then[0] if then else first,
      trained_windows=(first, first, first, first // 2) if then else (0, 0, 0, 0),
      **imagenet(side, side if side == 384 else int(side / 0.9), "bicubic"),
    )
    yield f"swinv2_{name}", f"swinv2_{size[0]}_{windows.removeprefix('window')}", config


def _repositories(theirs: str) -> tuple[str, ...]:
  """Of Microsoft, and of timm; the larger ones saw ImageNet-21k first."""
  _, size, windows, pixels = theirs.split("_")
  first, _, then = pixels.partition("to")
  tag = "ms_in1k" if "12" not in windows else "ms_in22k_ft_in1k" if then else "ms_in22k"
  if not then:
    kind = "-22k" if tag == "ms_in22k" else ""
    return f"microsoft/swinv2-{size}-patch4-{windows}-{first}{kind}", f"timm/{theirs}.{tag}"
  microsoft = f"microsoft/swinv2-{size}-patch4-{windows}-{pixels}-22kto1k-ft"
  return microsoft, f"timm/{theirs}.{tag}"


FAMILY = Family(
  name="swinv2",
  config=SwinV2Config,
  module=SwinV2,
  named={ours: config for _, ours, config in _named()},
  sources={ours: _repositories(theirs) for theirs, ours, _ in _named()},
  layouts=lambda config: {
    # Its authors' files, which timm reads as well, have a step at the end of a stage.
    TIMM: [_timm(config, 1, "head.fc."), _timm(config, 0, "head.")],
    HUGGINGFACE: [_HUGGINGFACE],
  },
  transformers=Transformers(
    model_type="swinv2",
    processor="ViTImageProcessor",
    read=_read,
    unread=UNREAD,
    built=lambda config: dataclasses.replace(config, twice_apart=True),
  ),
  timm=Timm(names={theirs: (ours, {}) for theirs, ours, _ in _named()}),
)
