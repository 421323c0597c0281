"""DINOv2's vision transformers with a linear classifier on the patches' mean and class tokens, that
of the last block or those of the last four
(Oquab et al., 2023, arXiv:2304.07193; with registers Darcet et al., 2023, arXiv:2309.16588)."""

import dataclasses

from jaxbench.models.classifiers.classifier import imagenet
from jaxbench.models.classifiers.vit import ViT, ViTConfig
from jaxbench.models.family import (
  HUGGINGFACE,
  TIMM,
  TORCH_HUB,
  Family,
  Timm,
  TorchHub,
  Transformers,
)
from jaxbench.models.parts.transformer import TowerConfig
from jaxbench.models.parts.vit_trunk import in_timm, timm_layouts
from jaxbench.models.weights import config_json
from jaxbench.models.weights.mapping import Renamings
from jaxbench.models.weights.processor import Images
from jaxbench.models.weights.sidecar import Fields, Unread, words


@dataclasses.dataclass(frozen=True, kw_only=True)
class DINOv2Config(ViTConfig):
  """Everything that shapes a DINOv2."""


def _huggingface(config: DINOv2Config) -> Renamings:
  network = "dinov2_with_registers" if config.registers else "dinov2"
  hidden, last = ("weights_in", "weights_out") if config.tower.gated_mlp else ("fc1", "fc2")
  return (
    (r"^transformer\.resblocks", f"{network}.encoder.layer"),
    (r"ln_([12])", r"norm\1"),
    (r"ls_([12])", r"layer_scale\1.lambda1"),
    (r"attn\.in_proj", "attention.attention.{query,key,value}"),
    (r"attn\.out_proj", "attention.output.dense"),
    (r"mlp\.c_fc", f"mlp.{hidden}"),
    (r"mlp\.c_proj", f"mlp.{last}"),
    (r"^conv1", f"{network}.embeddings.patch_embeddings.projection"),
    (r"^class_embedding", f"{network}.embeddings.cls_token"),
    (r"^register_tokens", f"{network}.embeddings.register_tokens"),
    (r"^positional_embedding", f"{network}.embeddings.position_embeddings"),
    (r"^ln_post", f"{network}.layernorm"),
    (r"^fc\.", "classifier."),
  )


def _torch_hub(config: DINOv2Config) -> Renamings:
  """A backbone and a head."""
  hidden, last = ("w12", "w3") if config.tower.gated_mlp else ("fc1", "fc2")
  return (
    (r"^fc\.", "linear_head."),
    (r"^(?!linear_head)", "backbone."),
    (r"transformer\.resblocks", "blocks"),
    (r"ln_([12])", r"norm\1"),
    (r"ls_([12])", r"ls\1.gamma"),
    (r"attn\.in_proj", "attn.qkv"),
    (r"attn\.out_proj", "attn.proj"),
    (r"mlp\.c_fc", f"mlp.{hidden}"),
    (r"mlp\.c_proj", f"mlp.{last}"),
    (r"conv1", "patch_embed.proj"),
    (r"class_embedding", "cls_token"),
    (r"positional_embedding", "pos_embed"),
    (r"ln_post", "norm"),
  )


def _read(fields: Fields, images: Images) -> DINOv2Config:
  """Dinov2ForImageClassification, and Dinov2WithRegistersForImageClassification."""
  has_registers = fields.get("model_type", "") != "dinov2"
  width, ratio = fields.count("hidden_size", 768), fields.number("mlp_ratio", 4)
  tower = config_json.tower(
    fields, config_json.Defaults(width, int(width * ratio), 12, "gelu", 1e-6)
  )
  tower = dataclasses.replace(tower, layer_scale=True)
  if fields.flag("use_swiglu_ffn", False):
    tower = _gated(tower)
  fields.skip("image_size")  # Its positions are brought to the size of what comes.
  return DINOv2Config(
    tower=tower,
    patch_size=fields.side("patch_size", 16 if has_registers else 14),
    registers=fields.count("num_register_tokens", 4) if has_registers else 0,
    pool="token_and_mean",
    num_classes=config_json.classes(fields),
    **images._asdict(),
  )


def _gated(tower: TowerConfig) -> TowerConfig:
  """With two thirds of the MLP's width, in eights."""
  width = (int(tower.mlp_width * 2 / 3) + 7) // 8 * 8
  return dataclasses.replace(tower, mlp_width=width, gated_mlp=True, activation="silu")


def _named(
  sizes: tuple[int, int, int, int], registers: int, gated: bool, pool: str
) -> DINOv2Config:
  tower = TowerConfig(*sizes, "gelu", 1e-6, layer_scale=True)
  return DINOv2Config(
    tower=_gated(tower) if gated else tower,
    patch_size=14,
    registers=registers,
    pool=pool,
    **imagenet(interpolation="bicubic"),
  )


_SIZES = {
  "s": ("small", (384, 12, 6, 1536)),
  "b": ("base", (768, 12, 12, 3072)),
  "l": ("large", (1024, 24, 16, 4096)),
  "g": ("giant", (1536, 40, 24, 6144)),
}
_POOLS = {"": "token_and_mean", "_lc4": "four_tokens_and_mean"}
_REGISTERS = {"": 0, "_reg": 4}
_NAMED = {
  f"dinov2_{name}_14{ending}{head}": _named(sizes, registers, gated=name == "g", pool=pool)
  for name, (_, sizes) in _SIZES.items()
  for ending, registers in _REGISTERS.items()
  for head, pool in _POOLS.items()
}


def _heads() -> dict[str, tuple[str, str]]:
  """As its authors call their files."""
  heads = {}
  for name in _SIZES:
    for ending, registers in _REGISTERS.items():
      backbone = f"dinov2_vit{name}14{ending}{registers or ''}"
      for head, number in (("", ""), ("_lc4", "4")):
        ours = f"dinov2_{name}_14{ending}{head}"
        heads[f"{backbone}_linear{number}_head.pth"] = f"{backbone}_pretrain.pth", ours
  return heads


FAMILY = Family(
  name="dinov2",
  config=DINOv2Config,
  module=ViT,
  named=_NAMED,
  sources={
    f"dinov2_{name}_14{ending}": (f"facebook/dinov2{theirs}-{size}-imagenet1k-1-layer",)
    for name, (size, _) in _SIZES.items()
    for theirs, ending in (("", ""), ("-with-registers", "_reg"))
  },
  layouts=lambda config: {
    HUGGINGFACE: [_huggingface(config)],
    TIMM: timm_layouts(config)[:1],
    TORCH_HUB: [_torch_hub(config)],
  },
  lacks={library: [name for name in _NAMED if "_lc4" in name] for library in (HUGGINGFACE, TIMM)},
  transformers=Transformers(
    model_type="dinov2",
    others=("dinov2_with_registers",),
    processor="BitImageProcessor",
    read=_read,
    resizes=True,
    antialias=lambda config: config.registers > 0,
    unread=Unread(
      config_json.COMMON
      | config_json.TRAINING
      | config_json.BACKBONE
      | words("apply_layernorm layerscale_value reshape_hidden_states use_mask_token"),
      {**config_json.IMAGE, "qkv_bias": (True,)},
    ),
  ),
  # Its own weights in timm have no classifier; others' have one on one vector.
  timm=Timm(
    names={
      f"vit_{size}_patch14{reg4}_dinov2": (
        f"dinov2_{name}_14{ending}",
        {"pool": "token", **changes},
      )
      for name, (size, _) in _SIZES.items()
      for reg4, ending, changes in (("", "", {}), ("_reg4", "_reg", {"positions": "patches"}))
    },
    pools={
      "token": {"pool": "token", "norm_of_mean": False},
      "avg": {"pool": "mean", "norm_of_mean": True},
    },
    built=in_timm,
  ),
  torch_hub=TorchHub(
    heads=_heads(),
    antialias=lambda config: config.registers > 0,
    offset=lambda config: 0.0 if config.registers else 0.1,
  ),
)
