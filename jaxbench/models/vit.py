"""The supervised vision transformer (Dosovitskiy et al., 2020, arXiv:2010.11929)."""

import dataclasses

import jax
from flax import nnx

from jaxbench.models.classifier import Classifier, ClassifierConfig, imagenet
from jaxbench.models.family import HUGGINGFACE, TIMM, TORCHVISION, Family, Timm, Transformers
from jaxbench.models.layers import Conv, LayerNorm, Linear, prepend
from jaxbench.models.transformer import TowerConfig, Transformer
from jaxbench.models.weights import config_json
from jaxbench.models.weights.mapping import Renamings
from jaxbench.models.weights.processor import Images, fitting
from jaxbench.models.weights.sidecar import Fields, Unread


@dataclasses.dataclass(frozen=True, kw_only=True)
class ViTConfig(ClassifierConfig):
  """Everything that shapes a ViT."""

  tower: TowerConfig
  patch_size: int


class ViT(Classifier):
  """A supervised classifier: images [B, H, W, 3] in [0, 1] -> logits [B, K]."""

  def __init__(self, config: ViTConfig, *, rngs: nnx.Rngs):
    self.config = config
    width, patch = config.tower.width, config.patch_size
    tokens = 1 + (config.preprocess.size // patch) ** 2
    self.conv1 = Conv(3, width, patch, patch, padding=0, use_bias=True, rngs=rngs)
    self.class_embedding = nnx.Param(0.02 * jax.random.normal(rngs.params(), (width,)))
    self.positional_embedding = nnx.Param(0.02 * jax.random.normal(rngs.params(), (tokens, width)))
    self.transformer = Transformer(config.tower, rngs=rngs)
    self.ln_post = LayerNorm(width, config.tower.epsilon)
    self.fc = Linear(width, config.num_classes, rngs=rngs)

  def logits(self, x: jax.Array) -> jax.Array:
    """Standardised images [B, H, W, 3] -> [B, K]."""
    x = self.conv1(x)
    x = x.reshape(x.shape[0], -1, x.shape[-1])
    x = prepend(self.class_embedding[...], x)
    x = self.transformer(x + self.positional_embedding[...].astype(x.dtype)[None], keep=1)
    return self.fc(self.ln_post(x[:, 0]))


def _torchvision(first: str, second: str) -> Renamings:
  """`first` and `second` are the layers of the MLP."""
  return (
    (r"^transformer\.resblocks\.", "encoder.layers.encoder_layer_"),
    (r"attn\.in_proj\.(weight|bias)", r"self_attention.in_proj_\1"),
    (r"attn\.out_proj", "self_attention.out_proj"),
    (r"mlp\.c_fc", f"mlp.{first}"),
    (r"mlp\.c_proj", f"mlp.{second}"),
    (r"^conv1\.", "conv_proj."),
    (r"^class_embedding", "class_token"),
    (r"^positional_embedding", "encoder.pos_embedding"),
    (r"^ln_post\.", "encoder.ln."),
    (r"^fc\.", "heads.head."),
  )


_TIMM: Renamings = (
  (r"^transformer\.resblocks", "blocks"),
  (r"ln_([12])", r"norm\1"),
  (r"attn\.in_proj", "attn.qkv"),
  (r"attn\.out_proj", "attn.proj"),
  (r"mlp\.c_fc", "mlp.fc1"),
  (r"mlp\.c_proj", "mlp.fc2"),
  (r"^conv1\.", "patch_embed.proj."),
  (r"^class_embedding", "cls_token"),
  (r"^positional_embedding", "pos_embed"),
  (r"^ln_post\.", "norm."),
  (r"^fc\.", "head."),
)
_HUGGINGFACE: Renamings = (
  (r"^transformer\.resblocks", "vit.encoder.layer"),
  (r"ln_1", "layernorm_before"),
  (r"ln_2", "layernorm_after"),
  (r"attn\.in_proj", "attention.attention.{query,key,value}"),
  (r"attn\.out_proj", "attention.output.dense"),
  (r"mlp\.c_fc", "intermediate.dense"),
  (r"mlp\.c_proj", "output.dense"),
  (r"^conv1", "vit.embeddings.patch_embeddings.projection"),
  (r"^class_embedding", "vit.embeddings.cls_token"),
  (r"^positional_embedding", "vit.embeddings.position_embeddings"),
  (r"^ln_post", "vit.layernorm"),
  (r"^fc\.", "classifier."),
)


def _read(fields: Fields, images: Images) -> ViTConfig:
  """ViTForImageClassification."""
  return ViTConfig(
    tower=config_json.tower(fields, config_json.Defaults(768, 3072, 12, "gelu", 1e-12)),
    patch_size=fields.side("patch_size", 16),
    num_classes=config_json.classes(fields),
    **fitting(fields.path, images, fields.side("image_size", 224))._asdict(),
  )


def _in_transformers(config: ViTConfig) -> ViTConfig:
  return dataclasses.replace(config, tower=dataclasses.replace(config.tower, epsilon=1e-12))


def _in_timm(config: ViTConfig, arguments: Fields) -> ViTConfig:
  """`config` with the sizes of one that was built otherwise than its name says."""
  old = config.tower
  width, heads = arguments.count("embed_dim", old.width), arguments.count("num_heads", old.heads)
  if width % heads:
    raise arguments.error(f"embed_dim {width} is no multiple of num_heads {heads}")
  mlp_width = int(width * arguments.number("mlp_ratio", old.mlp_width / old.width))
  if mlp_width < 1:
    raise arguments.error("mlp_ratio leaves the MLP no width")
  tower = dataclasses.replace(
    old,
    width=width,
    layers=arguments.count("depth", old.layers),
    heads=heads,
    mlp_width=mlp_width,
  )
  patch = arguments.side("patch_size", config.patch_size)
  return dataclasses.replace(config, tower=tower, patch_size=patch)


_BASE = TowerConfig(768, 12, 12, 3072, "gelu", 1e-6)
FAMILY = Family(
  name="vit",
  config=ViTConfig,
  module=ViT,
  named={
    f"vit_b_{patch}": ViTConfig(tower=_BASE, patch_size=patch, **imagenet()) for patch in (32, 16)
  },
  sources={
    "vit_b_16": ("google/vit-base-patch16-224", "google/vit-base-patch16-384"),
    "vit_b_32": ("google/vit-base-patch32-384", "timm/vit_base_patch32_224.augreg_in21k_ft_in1k"),
  },
  layouts=lambda config: {
    # Its first releases call the MLP's layers linear_1 and linear_2.
    TORCHVISION: [_torchvision("0", "3"), _torchvision("linear_1", "linear_2")],
    TIMM: [_TIMM],
    HUGGINGFACE: [_HUGGINGFACE],
  },
  transformers=Transformers(
    model_type="vit",
    processor="ViTImageProcessor",
    read=_read,
    unread=Unread(
      config_json.COMMON
      | config_json.TRAINING
      | {"encoder_stride", "pooler_act", "pooler_output_size"},
      {**config_json.IMAGE, "qkv_bias": (True,)},
    ),
    built=_in_transformers,
  ),
  timm=Timm(
    names={
      f"{name}_base_patch{patch}_{size}": (f"vit_b_{patch}", {})
      for name, patch in (("vit", 32), ("vit", 16), ("deit", 16))
      for size in (224, 384)
    },
    pool="token",
    built=_in_timm,
  ),
)
