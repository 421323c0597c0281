"""The published sizes of SigLIP and SigLIP 2, and of their image towers."""

from typing import Any

from jaxbench.models.encoders.siglip import SigLIPConfig
from jaxbench.models.encoders.tokenizer_file import TokenizerConfig
from jaxbench.models.family import Sized
from jaxbench.models.parts.transformer import TowerConfig
from jaxbench.models.preprocess import Preprocess


def _tower(sizes: tuple[int, int, int, int], tanh: bool = True) -> TowerConfig:
  return TowerConfig(*sizes, "gelu_tanh" if tanh else "gelu", 1e-6)


_BASE, _LARGE = (768, 12, 12, 3072), (1024, 24, 16, 4096)
_SO400M, _GIANT = (1152, 27, 16, 4304), (1536, 40, 16, 6144)
# timm's name, in which the size of images stands last: the tower, the patch, whether GELU is that
# of tanh. Those that are older than SigLIP 2 have the exact one, whichever weights they hold.
TRUNKS = {
  f"vit_{name}_patch{patch}_siglip_{size}": Sized(_tower(tower, tanh), patch, size)
  for name, tower, patch, tanh, sizes in (
    ("base", _BASE, 32, True, (256,)),
    ("base", _BASE, 16, False, (224, 256, 384, 512)),
    ("large", _LARGE, 16, False, (256, 384)),
    ("large", _LARGE, 16, True, (512,)),
    ("so400m", _SO400M, 14, False, (224, 378, 384)),
    ("so400m", _SO400M, 16, True, (256, 384, 512)),
    ("giantopt", _GIANT, 16, True, (256, 384)),
  )
  for size in sizes
}


def _sized(trunk: str, size: int, version: int = 2, **options: Any) -> SigLIPConfig:
  """A published size, as open_clip has it; which tokenizer it is, only a checkpoint says."""
  half, name = (0.5, 0.5, 0.5), f"vit_{trunk}_siglip_{size}"
  seen, patch = TRUNKS[name].config, TRUNKS[name].patch_size
  assert patch is not None
  words = (
    _SO400M
    if trunk.startswith("giantopt")
    else (seen.width, seen.layers, seen.heads, seen.mlp_width)
  )
  fields: dict[str, Any] = {
    "vocabulary_size": 256_000 if version == 2 else 32_000,
    "context_length": 64,
    **options,
  }
  pad_id = 1 if fields["vocabulary_size"] == 32_000 else 0
  return SigLIPConfig(
    vision=seen,
    text=_tower(words, version == 2),
    embed_dim=seen.width,
    patch_size=patch,
    preprocess=Preprocess(size, squash=True),
    mean=half,
    std=half,
    tokenizer=TokenizerConfig("", pad_id, "canonicalize"),
    **fields,
  )


# open_clip's name; google's, where it has been released; the size.
PUBLISHED: dict[str, tuple[str, SigLIPConfig]] = {
  **{
    f"ViT-{name}-16-SigLIP{suffix}": (
      f"siglip-{long}-patch16-{size}",
      _sized(f"{long}_patch16", size, 1),
    )
    for name, long, size, suffix in (
      ("B", "base", 224, ""),
      *(("B", "base", size, f"-{size}") for size in (256, 384, 512)),
      *(("L", "large", size, f"-{size}") for size in (256, 384)),
    )
  },
  "ViT-B-16-SigLIP-i18n-256": (
    "siglip-base-patch16-256-multilingual",
    _sized("base_patch16", 256, 1, vocabulary_size=250_000),
  ),
  "ViT-SO400M-14-SigLIP": (
    "siglip-so400m-patch14-224",
    _sized("so400m_patch14", 224, 1, context_length=16),
  ),
  "ViT-SO400M-14-SigLIP-378": ("", _sized("so400m_patch14", 378, 1)),
  "ViT-SO400M-14-SigLIP-384": (
    "siglip-so400m-patch14-384",
    _sized("so400m_patch14", 384, 1),
  ),
  "ViT-SO400M-16-SigLIP-i18n-256": (
    "siglip-so400m-patch16-256-i18n",
    _sized("so400m_patch16", 256, 1, vocabulary_size=250_000, text_head=False),
  ),
  **{
    f"ViT-{name}-{patch}-SigLIP2{suffix}": (
      f"siglip2-{google}-patch{patch}-{size}",
      _sized(f"{long}_patch{patch}", size),
    )
    for name, long, google, patch, size, suffix in (
      ("B", "base", "base", 32, 256, "-256"),
      ("B", "base", "base", 16, 224, ""),
      *(("B", "base", "base", 16, size, f"-{size}") for size in (256, 384, 512)),
      *(("L", "large", "large", 16, size, f"-{size}") for size in (256, 384, 512)),
      ("SO400M", "so400m", "so400m", 14, 224, ""),
      ("SO400M", "so400m", "so400m", 14, 378, "-378"),
      *(("SO400M", "so400m", "so400m", 16, size, f"-{size}") for size in (256, 384, 512)),
      *(("gopt", "giantopt", "giant-opt", 16, size, f"-{size}") for size in (256, 384)),
    )
  },
}
