"""Folders that transformers writes: config.json, model.safetensors, preprocessor_config.json."""

import pathlib

from jaxbench import errors
from jaxbench.models.architectures import FAMILIES, family
from jaxbench.models.family import HUGGINGFACE
from jaxbench.models.weights import processor, sidecar, unbuilt
from jaxbench.models.weights.checkpoint import Checkpoint, tokenizer_file

WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin")
_ROWS = [
  kind for row in FAMILIES.values() for kind in (row.transformers, *row.more) if kind is not None
]
_MODEL_TYPES = {name: row for row in _ROWS for name in (row.model_type, *row.others)}
_VISION_TYPES = [row.vision_type for row in _ROWS if row.read_vision]


def read(folder: pathlib.Path, source: str) -> Checkpoint:
  """The checkpoint in `folder`, by the `model_type` of its config.json.

  Where a field is absent, the default of transformers' configuration class holds.

  Raises:
    InputError: a file or field is missing, a field is not known, or the model is of another kind.
  """
  fields = sidecar.read(folder / "config.json")
  if fields.get("model_type", None) in _VISION_TYPES:
    raise errors.InputError(
      f"{folder}: holds a vision tower alone; say the model whose text tower it shares: "
      "models.load(base, visual=...), base+tower in a run"
    )
  name = fields.need("model_type")
  if not isinstance(name, str) or name not in _MODEL_TYPES:
    raise unbuilt.transformers(fields, str(name), _MODEL_TYPES)
  kind = _MODEL_TYPES[name]
  config = kind.read(fields, processor.read(folder, kind.processor))
  fields.finish(kind.unread)
  return Checkpoint(
    config,
    sidecar.weights(folder, *WEIGHTS),
    [kind.layout] if kind.layout else family(config).layouts(config)[HUGGINGFACE][:1],
    f"{source}, {kind.only} alone" if kind.only else source,
    antialias=kind.antialias(config),
    resizes=kind.resizes,
    tokenizer=tokenizer_file(config, folder / "tokenizer.json"),
    only=kind.only,
  )
