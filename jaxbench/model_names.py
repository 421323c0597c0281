"""Names of models as people write them.

"base+tower" is a vision tower on the CLIP before it, "base+tower.pt:model_ema" that of one network
in a file of several, "model|defence|defence" a model within test-time defences.
"""

import json
import pathlib
import re

from jaxbench import errors

HELD = "notebook:"  # How the names of models begin that only this process has.
FILE = re.compile(r"(?P<file>.+\.py)(:(?P<argument>.*))?", re.DOTALL)
WEIGHTS = (".safetensors", ".safetensors.index.json", ".pt", ".pth", ".pth.tar", ".bin", ".ckpt")
_OF_SEVERAL = re.compile(rf"(?P<file>.*({'|'.join(map(re.escape, WEIGHTS))})):(?P<key>.+)")


def is_own(name: str) -> bool:
  """Whether a model is of somebody's own code: "mine.py:argument", or one of a notebook."""
  return name.startswith(HELD) or FILE.fullmatch(name) is not None


def without_revision(name: str) -> str:
  """The name without the commits of its repositories: "org/name@commit" is org/name."""
  return re.sub(r"@[^+]*", "", name)


def split_defences(name: str) -> tuple[str, tuple[str, ...]]:
  """The model that a name says, and the texts of the defences around it, the innermost first.

  What is on the disk under the whole name is a model alone.
  """
  if "|" not in name or pathlib.Path(name).exists():
    return name, ()
  model, *defences = (part.strip() for part in name.split("|"))
  return model, tuple(defences)


def split(name: str) -> tuple[str, str | None]:
  """The base and the vision tower that a name says, or all of it and None.

  What is on the disk under the whole name is that, and what a Python file takes as argument has any
  form; else the tower is what is on the disk, or what the last + is before.

  Raises:
    InputError: there is nothing before or behind the +.
  """
  if "+" not in name or ".py:" in name or pathlib.Path(name).exists():
    return name, None
  places = [place for place, character in enumerate(name) if character == "+"]
  pairs = [(name[:place], name[place + 1 :]) for place in places]
  on_disk = (pair for pair in pairs if pathlib.Path(split_key(pair[1])[0]).exists())
  base, tower = next(on_disk, pairs[-1])
  if not (base and tower):
    raise errors.InputError(f"{name!r} is no base+tower: name a model on both sides of the +")
  return base, tower


def split_key(name: str) -> tuple[str, str | None]:
  """The file of bare tensors and the `key` of a network in it that a name says, or all and None.

  What is on the disk under the whole name is a file.
  """
  match = _OF_SEVERAL.fullmatch(name)
  if match is None or pathlib.Path(name).exists():
    return name, None
  return match["file"], match["key"]


def is_tower(name: str) -> bool:
  """Whether a name can be only a tower's: of a file of bare tensors, or a folder of one alone."""
  name, _ = split_key(split_defences(name)[0])
  if name.lower().endswith(WEIGHTS):
    return True
  try:
    content = json.loads((pathlib.Path(name) / "config.json").read_text())
    return content["model_type"].endswith("_vision_model")
  except (OSError, ValueError, KeyError, TypeError, AttributeError):
    return False
