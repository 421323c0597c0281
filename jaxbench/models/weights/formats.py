"""Files and folders of other libraries: which reader serves them, by what is there."""

import dataclasses
import pathlib
from typing import Any

from jaxbench import errors
from jaxbench.models.preprocess import Preprocess
from jaxbench.models.weights import (
  huggingface,
  open_clip,
  sentence_transformers,
  sidecar,
  state_dict,
  timm,
  torch_hub,
)
from jaxbench.models.weights.checkpoint import Checkpoint


def source(path: pathlib.Path, name: str) -> str:
  """What the report says: of a repository, its `name`, also its commit, which names its folder."""
  return name if path.is_file() or name == str(path) else f"{name} ({path.name})"


def read(path: pathlib.Path, name: str, **stated: Any) -> Checkpoint:
  """The reader's view of a checkpoint.

  Args:
    path: a file of bare tensors, or a folder.
    name: what the user calls it.
    **stated: key, architecture, mean, std and preprocess, None where the user did not say.

  Raises:
    InputError: nobody's files are there, or something is stated that they tell themselves.
  """
  is_head = path.name in torch_hub.HEADS and stated["architecture"] is None
  if path.is_file() and not is_head:
    return state_dict.read(path, source=str(path), **stated)
  preprocess = stated.pop("preprocess", None)
  for option, value in stated.items():
    if value is not None:
      raise errors.InputError(f"{path}: {option}={value} is for bare tensors only")
  whole = source(path, name)
  found = torch_hub.read(path, whole) if is_head else _read_folder(path, whole)
  return found if preprocess is None else _seen(found, preprocess, path)


def _read_folder(path: pathlib.Path, source: str) -> Checkpoint:
  if (path / open_clip.CONFIG).exists():
    return open_clip.read(path, source)
  path = sentence_transformers.clip(path)
  if not (path / "config.json").exists():
    raise errors.InputError(
      f"{path}: no checkpoint here: no model.json, {open_clip.CONFIG} or config.json in it"
    )
  if "model_type" in sidecar.read(path / "config.json").content:
    return huggingface.read(path, source)
  return timm.read(path, source)


def _seen(found: Checkpoint, preprocess: Preprocess, path: pathlib.Path) -> Checkpoint:
  """`found` for images that come otherwise than its files say."""
  size = found.config.preprocess.size
  if preprocess.size != size:
    raise errors.InputError(
      f"{path}: {preprocess} gives {preprocess.size} pixels, the model takes {size}; image_size= "
      "changes that"
    )
  return found._replace(config=dataclasses.replace(found.config, preprocess=preprocess))
