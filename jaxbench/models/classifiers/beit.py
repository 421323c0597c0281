"""BEiT (Bao et al., 2021, arXiv:2106.08254) and BEiT v2 (Peng et al., 2022, arXiv:2208.06366)."""

import dataclasses

from jaxbench.models.classifiers.classifier import imagenet
from jaxbench.models.classifiers.vit import ViT, ViTConfig
from jaxbench.models.family import HUGGINGFACE, TIMM, Family, Timm, Transformers
from jaxbench.models.parts.transformer import TowerConfig
from jaxbench.models.parts.vit_trunk import in_timm, timm_layouts
from jaxbench.models.weights import config_json
from jaxbench.models.weights.mapping import Renamings
from jaxbench.models.weights.processor import Images, fitting
from jaxbench.models.weights.sidecar import Fields, Unread, words


@dataclasses.dataclass(frozen=True, kw_only=True)
class BEiTConfig(ViTConfig):
  """Everything that shapes a BEiT."""


_HUGGINGFACE: Renamings = (
  (r"^transformer\.resblocks", "beit.encoder.layer"),
  (r"ln_1", "layernorm_before"),
  (r"ln_2", "layernorm_after"),
  (r"ls_", "lambda_"),
  (r"attn\.in_proj", "attention.attention.{query,key,value}"),
  (r"attn\.qv_bias", "attention.attention.{query,value}.bias"),
  (
    r"attn\.bias_table",
    "attention.attention.relative_position_bias.relative_position_bias_table",
  ),
  (r"attn\.out_proj", "attention.output.dense"),
  (r"mlp\.c_fc", "intermediate.dense"),
  (r"mlp\.c_proj", "output.dense"),
  (r"^conv1", "beit.embeddings.patch_embeddings.projection"),
  (r"^class_embedding", "beit.embeddings.cls_token"),
  (r"^ln_post", "beit.pooler.layernorm"),
  (r"^fc\.", "classifier."),
)


def _tower(tower: TowerConfig) -> TowerConfig:
  return dataclasses.replace(tower, qkv_bias="query_value", layer_scale=True, distance_bias=True)


def _config(tower: TowerConfig, patch: int, **rest: object) -> BEiTConfig:
  return BEiTConfig(
    tower=_tower(tower),
    patch_size=patch,
    positions="none",
    pool="mean",
    norm_of_mean=True,
    **rest,  # type: ignore[arg-type]
  )


def _read(fields: Fields, images: Images) -> BEiTConfig:
  """BeitForImageClassification."""
  if not fields.flag("use_relative_position_bias", False):
    raise fields.error("use_relative_position_bias is not true: without it it is not built")
  if fields.number("layer_scale_init_value", 0.1) <= 0:
    raise fields.error("layer_scale_init_value is not above 0: without layer scale it is not built")
  return _config(
    config_json.tower(fields, config_json.Defaults(768, 3072, 12, "gelu", 1e-12)),
    fields.side("patch_size", 16),
    num_classes=config_json.classes(fields),
    **fitting(fields.path, images, fields.side("image_size", 224))._asdict(),
  )


def _named(width: int, layers: int, heads: int) -> BEiTConfig:
  tower = TowerConfig(width, layers, heads, 4 * width, "gelu", 1e-6)
  return _config(tower, 16, **imagenet(224, 248, "bicubic"))


FAMILY = Family(
  name="beit",
  config=BEiTConfig,
  module=ViT,
  named={
    "beit_b_16": _named(768, 12, 12),
    "beit_l_16": _named(1024, 24, 16),
  },
  sources={
    "beit_b_16": (
      "microsoft/beit-base-patch16-224",
      "microsoft/beit-base-patch16-384",
      "timm/beitv2_base_patch16_224.in1k_ft_in22k_in1k",
    ),
    "beit_l_16": (
      "microsoft/beit-large-patch16-224",
      "microsoft/beit-large-patch16-384",
      "microsoft/beit-large-patch16-512",
      "timm/beitv2_large_patch16_224.in1k_ft_in22k_in1k",
    ),
  },
  layouts=lambda config: {TIMM: timm_layouts(config)[1:], HUGGINGFACE: [_HUGGINGFACE]},
  transformers=Transformers(
    model_type="beit",
    processor="BeitImageProcessor",
    read=_read,
    unread=Unread(
      config_json.COMMON
      | config_json.TRAINING
      | config_json.BACKBONE
      | words(
        """
        add_fpn auxiliary_channels auxiliary_concat_input auxiliary_loss_weight auxiliary_num_convs
        pool_scales reshape_hidden_states segmentation_indices semantic_loss_ignore_index
        use_auxiliary_head use_mask_token vocab_size
        """
      ),
      {
        **config_json.IMAGE,
        "use_absolute_position_embeddings": (False,),
        "use_mean_pooling": (True,),
        "use_shared_relative_position_bias": (False,),
      },
    ),
    built=lambda config: dataclasses.replace(
      config, tower=dataclasses.replace(config.tower, epsilon=1e-12)
    ),
  ),
  timm=Timm(
    names={
      f"{kind}_{theirs}_patch16_{size}": (f"beit_{ours}_16", {})
      for kind, theirs, ours, sizes in (
        ("beit", "base", "b", (224, 384)),
        ("beit", "large", "l", (224, 384, 512)),
        ("beitv2", "base", "b", (224,)),
        ("beitv2", "large", "l", (224,)),
      )
      for size in sizes
    },
    pools={
      "avg": {"pool": "mean", "norm_of_mean": True},
      "token": {"pool": "token", "norm_of_mean": False},
    },
    built=in_timm,
  ),
)
