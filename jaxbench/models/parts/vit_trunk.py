"""From an image to one vector by a vision transformer: what stands in front of ViT's classifier, or
of CLIP's projection, in the variants that timm has."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from jaxbench import errors
from jaxbench.models.later import later
from jaxbench.models.parts.attention_pool import AttentionPool
from jaxbench.models.parts.layers import (
  ACTIVATIONS,
  Conv,
  FrozenBatchNorm,
  LayerList,
  LayerNorm,
  Network,
  prepend,
)
from jaxbench.models.parts.transformer import TowerConfig, Transformer
from jaxbench.models.weights.mapping import Renamings
from jaxbench.models.weights.sidecar import Fields

POSITIONS = ("all", "patches", "none")
POOLS = ("token", "mean", "token_and_mean", "four_tokens_and_mean", "attention")
# How many vectors of the tower's width come out, where it is not one.
VECTORS = {"token_and_mean": 2, "four_tokens_and_mean": 5}


@dataclasses.dataclass(frozen=True, kw_only=True)
class ViTTrunkConfig:
  """What shapes one; its patches and images are those of the model that has it."""

  tower: TowerConfig
  class_token: bool = later(True)
  registers: int = later(0)  # Tokens that nobody reads, behind the class token.
  positions: str = later("all")  # From `POSITIONS`: what has an embedding; registers never do.
  pre_norm: bool = later(False)  # A layer norm in front of the tower; its patches have no bias.
  pool: str = later("token")  # From `POOLS`: what is made of the tower's output.
  pool_heads: int = later(0)  # Of attention pooling.
  norm_of_mean: bool = later(False)  # Whether the mean comes first, and then the last layer norm.
  distilled: bool = later(False)  # A second class token, which a teacher taught: DeiT's.
  stem: bool = later(False)  # Whether three convolutions make the patches of 16, as in MobileCLIP.

  def __post_init__(self) -> None:
    for kind, value, known in (
      ("positions", self.positions, POSITIONS),
      ("pool", self.pool, POOLS),
    ):
      if value not in known:
        raise errors.unknown(kind, value, known)
    if self.distilled and (self.pool, self.class_token) != ("token", True):
      raise errors.InputError("a distilled network is pooled by its two tokens: pool is 'token'")


class Stem(nnx.Module):
  """Patches of 4, which two convolutions join to patches of 16."""

  def __init__(self, width: int, *, rngs: nnx.Rngs):
    quarter = width // 4
    self.convs = LayerList(
      [
        Conv(3, quarter, 4, 4, padding=0, rngs=rngs),
        Conv(quarter, quarter, 2, 2, padding=0, rngs=rngs),
        Conv(quarter, width, 2, 2, padding=0, use_bias=True, rngs=rngs),
      ]
    )
    self.norms = LayerList([FrozenBatchNorm(quarter) for _ in range(2)])

  def __call__(self, x: jax.Array) -> jax.Array:
    """float [B, H, W, 3] -> [B, H / 16, W / 16, D]."""
    *convs, last = self.convs
    for conv, norm in zip(convs, self.norms, strict=True):
      x = ACTIVATIONS["gelu"](norm(conv(x)))
    return last(x)


class ViTTrunk(Network):
  """Patches and other tokens, the transformer, pooling.

  Args:
    config: see there.
    patch: the side of a patch in pixels.
    size: the side of an image in pixels.
    rngs: of the weights.
  """

  def __init__(self, config: ViTTrunkConfig, patch: int, size: int, *, rngs: nnx.Rngs):
    tower, width, patches = config.tower, config.tower.width, (size // patch) ** 2
    self.positions, self.pool = config.positions, config.pool
    self.norm_of_mean, self.distilled = config.norm_of_mean, config.distilled
    tokens = config.class_token + config.distilled
    self.prefix = tokens + config.registers

    def table(*shape: int) -> nnx.Param | None:
      return nnx.Param(0.02 * jax.random.normal(rngs.params(), shape)) if 0 not in shape else None

    rows = {"all": tokens + patches, "patches": patches, "none": 0}[config.positions]
    conv1 = Conv(3, width, patch, patch, padding=0, use_bias=not config.pre_norm, rngs=rngs)
    self.conv1 = None if config.stem else conv1
    self.stem = Stem(width, rngs=rngs) if config.stem else None
    self.class_embedding = table(width) if config.class_token else None
    self.distilled_embedding = table(width) if config.distilled else None
    self.register_tokens = table(config.registers, width)
    self.positional_embedding = table(rows, width)
    self.ln_pre = LayerNorm(width, tower.epsilon) if config.pre_norm else None
    self.transformer = Transformer(tower, prefix=self.prefix, side=size // patch, rngs=rngs)
    self.ln_post = LayerNorm(width, tower.epsilon)
    asks = (width, 1, config.pool_heads, 4 * width, tower.activation, tower.epsilon)
    is_asked = config.pool == "attention"
    self.attn_pool = AttentionPool(TowerConfig(*asks), rngs=rngs) if is_asked else None

  def features(self, x: jax.Array) -> jax.Array:
    """Standardised images [B, H, W, 3] -> [B, D]; [B, 2 D] of two tokens, else see `VECTORS`."""
    patches = self.conv1 or self.stem
    assert patches is not None
    x = patches(x)
    x = x.reshape(x.shape[0], -1, x.shape[-1])
    if self.positions == "patches":
      x = self._placed(x)
    if self.distilled_embedding is not None:
      x = prepend(self.distilled_embedding[...], x)
    if self.class_embedding is not None:
      x = prepend(self.class_embedding[...], x)
    if self.positions == "all":
      x = self._placed(x)
    if self.register_tokens is not None:
      tokens = self.register_tokens[...].astype(x.dtype)
      tokens = jnp.broadcast_to(tokens[None], (len(x), *tokens.shape))
      first = self.prefix - tokens.shape[1]
      x = jnp.concatenate([x[:, :first], tokens, x[:, first:]], axis=1)
    x = x if self.ln_pre is None else self.ln_pre(x)
    if self.pool == "four_tokens_and_mean":
      outputs = [self.ln_post(output) for output in self.transformer.outputs(x)[-4:]]
      mean = outputs[-1][:, self.prefix :].mean(axis=1)
      return jnp.concatenate([*(output[:, 0] for output in outputs), mean], axis=-1)
    keep = 1 + self.distilled if self.pool == "token" else None
    return self._pooled(self.transformer(x, keep=keep))

  def _placed(self, x: jax.Array) -> jax.Array:
    assert self.positional_embedding is not None
    return x + self.positional_embedding[...].astype(x.dtype)[None]

  def _pooled(self, x: jax.Array) -> jax.Array:
    """The tower's output [B, T, D], of which the class token suffices to "token"."""
    if self.distilled:
      return self.ln_post(x[:, :2]).reshape(len(x), -1)
    if self.pool == "token":
      return self.ln_post(x[:, 0])
    if self.norm_of_mean:
      return self.ln_post(x[:, self.prefix :].mean(axis=1))
    x = self.ln_post(x)
    if self.attn_pool is not None:
      return self.attn_pool(x)
    mean = x[:, self.prefix :].mean(axis=1)
    return mean if self.pool == "mean" else jnp.concatenate([x[:, 0], mean], axis=-1)


def timm_layouts(config: ViTTrunkConfig, prefix: str = "") -> list[Renamings]:
  """How timm names tensors: in its VisionTransformer, and in its Eva with layers fused or split.

  Args:
    config: of the trunk.
    prefix: a pattern; names that do not begin so are left as they are.
  """

  def renamed(pairs: dict[str, str]) -> Renamings:
    start = rf"^({prefix}(?:.*\.)?)"
    return tuple((start + old, rf"\g<1>{new}") for old, new in pairs.items())

  common = renamed(
    {
      r"transformer\.resblocks": "blocks",
      r"ln_([12])\.": r"norm\2.",
      r"attn\.in_proj": "attn.qkv",
      r"attn\.bias_table": "attn.relative_position_bias_table",
      r"attn\.out_proj": "attn.proj",
      r"mlp\.c_fc": "mlp.fc1",
      r"mlp\.c_proj": "mlp.fc2",
      r"attn_pool\.probe": "attn_pool.latent",
      r"attn_pool\.in_proj": "attn_pool.{q,kv}",
      r"attn_pool\.out_proj": "attn_pool.proj",
      r"attn_pool\.layernorm": "attn_pool.norm",
      r"conv1\.": "patch_embed.proj.",
      r"stem\.convs\.(\d)\.": r"patch_embed.backbone.\2.conv.",
      r"stem\.norms\.(\d)\.": r"patch_embed.backbone.\2.bn.",
      r"class_embedding": "cls_token",
      r"distilled_embedding": "dist_token",
      r"register_tokens": "reg_token",
      r"positional_embedding": "pos_embed",
      r"ln_pre\.": "norm_pre.",
      r"ln_post\.": "fc_norm." if config.norm_of_mean else "norm.",
      r"fc\.": "head.",
      r"fc_distilled\.": "head_dist.",
    }
  )
  vit = (*renamed({r"ls_([12])$": r"ls\2.gamma"}), *common)
  fused = (*renamed({r"ls_": "gamma_", r"qv_bias": "{q_bias,v_bias}"}), *common)
  split_mlp = (*renamed({r"mlp\.c_fc": "mlp.{fc1_g,fc1_x}"}), *fused)
  split_qkv = renamed(
    {r"attn\.in_proj": "attn.{q_proj,k_proj,v_proj}", r"qv_bias": "{q_proj,v_proj}.bias"}
  )
  gated = [split_mlp, (*split_qkv, *split_mlp)] if config.tower.gated_mlp else []
  return [vit, fused, *gated]


def in_timm(config: Any, arguments: Fields) -> Any:
  """`config` with the sizes of one that timm built otherwise than its name says."""
  old = config.tower
  width, heads = arguments.count("embed_dim", old.width), arguments.count("num_heads", old.heads)
  if width % heads:
    raise arguments.error(f"embed_dim {width} is no multiple of num_heads {heads}")
  mlp_width = int(width * arguments.number("mlp_ratio", old.mlp_width / old.width))
  if mlp_width < 1:
    raise arguments.error("mlp_ratio leaves the MLP no width")
  layers = arguments.count("depth", old.layers)
  tower = dataclasses.replace(old, width=width, layers=layers, heads=heads, mlp_width=mlp_width)
  patch = arguments.side("patch_size", config.patch_size)
  return dataclasses.replace(config, tower=tower, patch_size=patch)
