"""Folders that sentence-transformers writes: modules.json, and a folder for each module.

Its CLIPs ("clip-ViT-B-32") are those of transformers, whose files lie in one of the folders.
"""

import json
import pathlib
from typing import Any

from jaxbench import errors

MODULES = "modules.json"
# A cosine of embeddings, which is all that is made of them here, is the same behind it.
_WITHOUT_EFFECT = ("Normalize",)


def clip(folder: pathlib.Path) -> pathlib.Path:
  """Where the files of the CLIP lie: `folder` itself, if it is no such folder.

  Raises:
    InputError: modules.json is broken, has no CLIP, or something that changes its embeddings.
  """
  file = folder / MODULES
  if not file.exists():
    return folder
  modules = _modules(file)
  kinds = [str(module["type"]).rpartition(".")[2] for module in modules]
  if "CLIPModel" not in kinds:
    if (folder / "config.json").exists():  # One that its own code reads, whose files are there.
      return folder
    raise errors.InputError(
      f"{file}: its modules are {', '.join(kinds)}, none of which sees images; a CLIP of "
      "sentence-transformers has a CLIPModel (clip-ViT-B-32, clip-ViT-B-16, clip-ViT-L-14)"
    )
  others = [kind for kind in kinds if kind != "CLIPModel" and kind not in _WITHOUT_EFFECT]
  if others:
    raise errors.InputError(
      f"{file}: {others[0]} changes the embeddings of its CLIP: it is not built here; give both to "
      "models.from_torch in a Python file (see jaxbench/models/README.md)"
    )
  return folder / str(modules[kinds.index("CLIPModel")]["path"])


def _modules(file: pathlib.Path) -> list[dict[str, Any]]:
  """What it lists, in order."""
  try:
    modules = json.loads(file.read_text())
    if not modules or not all({"path", "type"} <= set(module) for module in modules):
      raise TypeError("not a list of modules with path and type")
  except (OSError, ValueError, TypeError) as error:
    raise errors.InputError(f"{file}: not what sentence-transformers writes ({error})") from error
  return modules
