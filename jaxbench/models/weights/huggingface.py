"""Folders that transformers writes: config.json, model.safetensors, preprocessor_config.json."""

import pathlib

from jaxbench.models.architectures import FAMILIES, family
from jaxbench.models.family import HUGGINGFACE
from jaxbench.models.weights import processor, sidecar
from jaxbench.models.weights.checkpoint import Checkpoint, tokenizer_file

_MODEL_TYPES = {
  row.transformers.model_type: row.transformers
  for row in FAMILIES.values()
  if row.transformers is not None
}


def read(folder: pathlib.Path, source: str) -> Checkpoint:
  """The checkpoint in `folder`, by the `model_type` of its config.json.

  Where a field is absent, the default of transformers' configuration class holds.

  Raises:
    InputError: a file or field is missing, a field is not known, or the model is of another kind.
  """
  fields = sidecar.read(folder / "config.json")
  kind = fields.choose("model_type", _MODEL_TYPES)
  config = kind.read(fields, processor.read(folder, kind.processor))
  fields.finish(kind.unread)
  weights = sidecar.weights(
    folder, "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin"
  )
  return Checkpoint(
    config,
    weights,
    family(config).layouts(config)[HUGGINGFACE][0],
    source,
    antialias=False,
    tokenizer=tokenizer_file(config, folder / "tokenizer.json"),
  )
