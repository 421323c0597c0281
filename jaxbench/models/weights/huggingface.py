"""Folders that transformers writes: config.json, model.safetensors, preprocessor_config.json."""

import pathlib

from jaxbench.models.architectures import Config
from jaxbench.models.clip import CLIPConfig
from jaxbench.models.siglip import SigLIPConfig
from jaxbench.models.tokenizer import VOCABULARY_SIZE, TokenizerFile
from jaxbench.models.weights import files, known, processor, sidecar
from jaxbench.models.weights import huggingface_classifiers as classifiers
from jaxbench.models.weights.checkpoint import Checkpoint
from jaxbench.models.weights.huggingface_tower import Defaults, tower
from jaxbench.models.weights.layouts import huggingface as layouts
from jaxbench.models.weights.mapping import Renamings
from jaxbench.models.weights.processor import Images, fitting
from jaxbench.models.weights.sidecar import Fields

# Of the classes that transformers takes where a folder names none.
_PROCESSORS = {
  "clip": "CLIPImageProcessor",
  "siglip": "SiglipImageProcessor",
  "vit": "ViTImageProcessor",
  "resnet": "ConvNextImageProcessor",
  "convnext": "ConvNextImageProcessor",
  "efficientnet": "EfficientNetImageProcessor",
}


def read(folder: pathlib.Path, source: str) -> Checkpoint:
  """The checkpoint in `folder`, by the `model_type` of its config.json.

  Where a field is absent, the default of transformers' configuration class holds.

  Raises:
    InputError: a file or field is missing, a field is not known, or the model is of another kind.
  """
  config = sidecar.read(folder / "config.json")
  kinds = {
    "clip": _clip,
    "siglip": _siglip,
    "vit": classifiers.vit,
    "resnet": classifiers.resnet,
    "convnext": classifiers.convnext,
    "efficientnet": classifiers.efficientnet,
  }
  kind = config.choose("model_type", kinds)
  name = config.need("model_type")
  ours, renamings = kind(config, processor.read(folder, _PROCESSORS[name]))
  config.finish(known.HUGGINGFACE[name])
  weights = sidecar.weights(
    folder, "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin"
  )
  tokenizer = None
  if isinstance(ours, SigLIPConfig):
    tokenizer = TokenizerFile(ours.tokenizer_sha256, str(folder / "tokenizer.json"))
  return Checkpoint(ours, weights, renamings, source, antialias=False, tokenizer=tokenizer)


def _merged(config: Fields, key: str) -> Fields:
  """What early releases wrote beside it as "text_config_dict" wins."""
  both = config.sub(key).content | config.sub(f"{key}_dict").content
  return Fields(config.path, both, f"{key}: ")


def _clip(config: Fields, images: Images) -> tuple[Config, Renamings]:
  text, vision = _merged(config, "text_config"), _merged(config, "vision_config")
  if (words := text.count("vocab_size", VOCABULARY_SIZE)) != VOCABULARY_SIZE:
    raise text.error(f"vocab_size {words}: only CLIP's own {VOCABULARY_SIZE} tokens are known")
  size = vision.side("image_size", 224)
  ours = CLIPConfig(
    embed_dim=config.count("projection_dim", 512),
    vision=tower(vision, Defaults(768, 3072, 12, "quick_gelu", 1e-5)),
    text=tower(text, Defaults(512, 2048, 8, "quick_gelu", 1e-5)),
    patch_size=vision.side("patch_size", 32),
    context_length=text.count("max_position_embeddings", 77),
    **fitting(config.path, images, size)._asdict(),
  )
  text.finish(known.HUGGINGFACE_TEXT)
  vision.finish(known.HUGGINGFACE_VISION)
  return ours, layouts.clip()


def _siglip(config: Fields, images: Images) -> tuple[Config, Renamings]:
  text, vision = config.sub("text_config"), config.sub("vision_config")
  default = Defaults(768, 3072, 12, "gelu_pytorch_tanh", 1e-6)
  words_tower, size = tower(text, default), vision.side("image_size", 224)
  words = sidecar.read(config.path.parent / "tokenizer_config.json")
  pad = words.need("pad_token")
  pad = words.sub("pad_token").need("content") if isinstance(pad, dict) else pad
  if not isinstance(pad, str):
    raise words.error(f"pad_token is {pad!r}, not a token")
  file = TokenizerFile("", str(config.path.parent / "tokenizer.json"))
  ours = SigLIPConfig(
    vision=tower(vision, default),
    text=words_tower,
    embed_dim=text.count("projection_size", words_tower.width),
    patch_size=vision.side("patch_size", 16),
    vocabulary_size=text.count("vocab_size", 32_000),
    context_length=text.count("max_position_embeddings", 64),
    tokenizer_sha256=files.sha256((sidecar.weights(config.path.parent, "tokenizer.json"),)),
    pad_id=file.id_of(pad),
    **fitting(config.path, images, size)._asdict(),
  )
  text.finish(known.HUGGINGFACE_SIGLIP_TEXT)
  vision.finish(known.HUGGINGFACE_VISION)
  return ours, layouts.siglip()
