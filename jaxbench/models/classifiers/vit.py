"""The supervised vision transformer (Dosovitskiy et al., 2020, arXiv:2010.11929)."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from jaxbench.models.classifiers.classifier import Classifier, ClassifierConfig, imagenet
from jaxbench.models.family import HUGGINGFACE, TIMM, TORCHVISION, Family, Timm, Transformers
from jaxbench.models.parts.layers import Linear
from jaxbench.models.parts.transformer import TowerConfig
from jaxbench.models.parts.vit_trunk import (
  VECTORS,
  ViTTrunk,
  ViTTrunkConfig,
  in_timm,
  timm_layouts,
)
from jaxbench.models.weights import config_json
from jaxbench.models.weights.mapping import Renamings
from jaxbench.models.weights.processor import Images, fitting
from jaxbench.models.weights.sidecar import Fields, Unread


@dataclasses.dataclass(frozen=True, kw_only=True)
class ViTConfig(ClassifierConfig, ViTTrunkConfig):
  """Everything that shapes a ViT."""

  patch_size: int


class ViT(ViTTrunk, Classifier):
  """A supervised classifier: images [B, H, W, 3] in [0, 1] -> logits [B, K]."""

  config: ViTConfig

  def __init__(self, config: ViTConfig, *, rngs: nnx.Rngs):
    super().__init__(config, config.patch_size, config.preprocess.size, rngs=rngs)
    self.config = config
    width = config.tower.width * VECTORS.get(config.pool, 1)
    self.fc = Linear(width, config.num_classes, rngs=rngs)
    taught = Linear(width, config.num_classes, rngs=rngs) if config.distilled else None
    self.fc_distilled = taught

  def logits(self, x: jax.Array) -> jax.Array:
    """Standardised images [B, H, W, 3] -> [B, K]."""
    x = self.features(x)
    if self.fc_distilled is None:
      return self.fc(x)
    token, taught = jnp.split(x, 2, axis=-1)
    return (self.fc(token) + self.fc_distilled(taught)) / 2


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


def _huggingface(config: ViTConfig) -> Renamings:
  network = "deit" if config.distilled else "vit"
  return (
    (r"^transformer\.resblocks", f"{network}.encoder.layer"),
    (r"ln_1", "layernorm_before"),
    (r"ln_2", "layernorm_after"),
    (r"attn\.in_proj", "attention.attention.{query,key,value}"),
    (r"attn\.out_proj", "attention.output.dense"),
    (r"mlp\.c_fc", "intermediate.dense"),
    (r"mlp\.c_proj", "output.dense"),
    (r"^conv1", f"{network}.embeddings.patch_embeddings.projection"),
    (r"^class_embedding", f"{network}.embeddings.cls_token"),
    (r"^distilled_embedding", f"{network}.embeddings.distillation_token"),
    (r"^positional_embedding", f"{network}.embeddings.position_embeddings"),
    (r"^ln_post", f"{network}.layernorm"),
    (r"^fc\.", "cls_classifier." if config.distilled else "classifier."),
    (r"^fc_distilled\.", "distillation_classifier."),
  )


def _read(fields: Fields, images: Images) -> ViTConfig:
  """ViTForImageClassification, and DeiTForImageClassificationWithTeacher."""
  distilled = fields.get("model_type", "") == "deit"
  built = ["DeiTForImageClassificationWithTeacher"]  # The other leaves its teacher's token unread.
  if distilled and (found := fields.get("architectures", built)) != built:
    raise fields.error(f"architectures {found} are not {built}")
  return ViTConfig(
    tower=config_json.tower(fields, config_json.Defaults(768, 3072, 12, "gelu", 1e-12)),
    patch_size=fields.side("patch_size", 16),
    num_classes=config_json.classes(fields),
    distilled=distilled,
    **fitting(fields.path, images, fields.side("image_size", 224))._asdict(),
  )


def _in_transformers(config: ViTConfig) -> ViTConfig:
  return dataclasses.replace(config, tower=dataclasses.replace(config.tower, epsilon=1e-12))


def _named(patch: int, sizes: tuple[int, int, int, int], **changes: Any) -> ViTConfig:
  return ViTConfig(
    tower=TowerConfig(*sizes, "gelu", 1e-6), patch_size=patch, **imagenet(), **changes
  )


def _deit3(patch: int, sizes: tuple[int, int, int, int]) -> ViTConfig:
  """Touvron et al., 2022 (arXiv:2204.07118)."""
  config = _named(patch, sizes, positions="patches")
  return dataclasses.replace(config, tower=dataclasses.replace(config.tower, layer_scale=True))


_SIZES = {
  "ti": ("tiny", (192, 12, 3, 768)),
  "s": ("small", (384, 12, 6, 1536)),
  "m": ("medium", (512, 12, 8, 2048)),
  "b": ("base", (768, 12, 12, 3072)),
  "l": ("large", (1024, 24, 16, 4096)),
  "h": ("huge", (1280, 32, 16, 5120)),
}
_IN_TORCHVISION = ("vit_b_32", "vit_b_16", "vit_l_32", "vit_l_16", "vit_h_14")
_VIT = (*_IN_TORCHVISION, "vit_ti_16", "vit_s_32", "vit_s_16", "vit_s_8", "vit_b_8")
_DEIT3 = ("deit3_s_16", "deit3_m_16", "deit3_b_16", "deit3_l_16", "deit3_h_14")

# Touvron et al., 2020 (arXiv:2012.12877).
_DISTILLED = {f"deit_{size}_16_distilled": _SIZES[size] for size in ("ti", "s", "b")}
_AT_224_ONLY = (
  "vit_small_patch8",
  "vit_base_patch8",
  "vit_huge_patch14",
  "deit_tiny_patch16",
  "deit_small_patch16",
  "deit3_medium_patch16",
  "deit3_huge_patch14",
)


def _parts(name: str) -> tuple[str, int]:
  """The letters of a size, and the side of a patch."""
  _, size, patch = name.split("_")
  return size, int(patch)


def _timm_names() -> Iterator[tuple[str, str]]:
  """timm's and ours."""
  for name, (size, _) in _DISTILLED.items():
    yield f"deit_{size}_distilled_patch16_224", name
  yield "deit_base_distilled_patch16_384", "deit_b_16_distilled"
  for name in (*_VIT, *_DEIT3):
    size, patch = _parts(name)
    kinds = [name.partition("_")[0]]
    kinds += ["deit"] if name in ("vit_ti_16", "vit_s_16", "vit_b_16") else []
    for theirs in (f"{kind}_{_SIZES[size][0]}_patch{patch}" for kind in kinds):
      yield f"{theirs}_224", name
      if theirs not in _AT_224_ONLY:
        yield f"{theirs}_384", name


FAMILY = Family(
  name="vit",
  config=ViTConfig,
  module=ViT,
  named={
    **{name: _named(_parts(name)[1], _SIZES[_parts(name)[0]][1]) for name in _VIT},
    **{name: _named(16, sizes, distilled=True) for name, (_, sizes) in _DISTILLED.items()},
    **{name: _deit3(_parts(name)[1], _SIZES[_parts(name)[0]][1]) for name in _DEIT3},
  },
  sources={
    "vit_b_16": ("google/vit-base-patch16-224", "google/vit-base-patch16-384"),
    "vit_b_32": ("google/vit-base-patch32-384", "timm/vit_base_patch32_224.augreg_in21k_ft_in1k"),
    "vit_l_16": ("google/vit-large-patch16-224", "google/vit-large-patch16-384"),
    "vit_l_32": ("google/vit-large-patch32-384",),
    "vit_ti_16": (
      "timm/vit_tiny_patch16_224.augreg_in21k_ft_in1k",
      "timm/deit_tiny_patch16_224.fb_in1k",
    ),
    "vit_s_16": (
      "timm/vit_small_patch16_224.augreg_in21k_ft_in1k",
      "timm/deit_small_patch16_224.fb_in1k",
    ),
    "vit_s_32": ("timm/vit_small_patch32_224.augreg_in21k_ft_in1k",),
    "vit_b_8": ("timm/vit_base_patch8_224.augreg_in21k_ft_in1k",),
    **{
      name: (
        f"facebook/deit-{size}-distilled-patch16-224",
        f"timm/deit_{size}_distilled_patch16_224.fb_in1k",
      )
      for name, (size, _) in _DISTILLED.items()
    },
    "deit3_s_16": ("timm/deit3_small_patch16_224.fb_in22k_ft_in1k",),
    "deit3_m_16": ("timm/deit3_medium_patch16_224.fb_in22k_ft_in1k",),
    "deit3_b_16": ("timm/deit3_base_patch16_224.fb_in22k_ft_in1k",),
    "deit3_l_16": ("timm/deit3_large_patch16_224.fb_in22k_ft_in1k",),
    "deit3_h_14": ("timm/deit3_huge_patch14_224.fb_in22k_ft_in1k",),
  },
  layouts=lambda config: {
    # Its first releases call the MLP's layers linear_1 and linear_2.
    TORCHVISION: [_torchvision("0", "3"), _torchvision("linear_1", "linear_2")],
    TIMM: timm_layouts(config),
    HUGGINGFACE: [_huggingface(config)],
  },
  lacks={
    TORCHVISION: [n for n in (*_VIT, *_DEIT3, *_DISTILLED) if n not in _IN_TORCHVISION],
    HUGGINGFACE: _DEIT3,
  },
  transformers=Transformers(
    model_type="vit",
    others=("deit",),
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
    names={theirs: (ours, {}) for theirs, ours in _timm_names()},
    pools={
      "token": {"pool": "token", "norm_of_mean": False},
      "avg": {"pool": "mean", "norm_of_mean": True},
    },
    built=in_timm,
  ),
)
