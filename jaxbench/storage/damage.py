"""Files of a run that are not what they were written as: named, moved aside, never deleted."""

import json
import sys
import uuid
from typing import Any

from etils import epath

from jaxbench import errors
from jaxbench.storage import atomic

FOLDER = "broken"  # In the run's folder.


class Damaged(errors.InputError):
  """A file of a run that cannot be read; who continues the run sets it aside, readers say so."""

  def __init__(self, file: epath.Path, reason: str):
    super().__init__(
      f"{file} is damaged ({reason}); the command that made the run sets it aside and goes on"
    )
    self.file, self.reason = file, reason


def parsed(file: epath.Path, content: bytes, **needed: type) -> Any:
  """What a JSON file holds.

  Args:
    file: where `content` is from.
    content: all of it.
    **needed: the fields that it must have, and their types.

  Raises:
    Damaged: it is no JSON or lacks a field.
  """
  try:
    value = json.loads(content)
  except (ValueError, RecursionError) as error:
    raise Damaged(file, f"no JSON: {error}" if content else "it is empty") from error
  for name, kind in needed.items():
    if not isinstance(value, dict) or not isinstance(value.get(name), kind):
      raise Damaged(file, f"it has no {name!r}")
  return value


def set_aside(workdir: epath.Path, damaged: Damaged, then: str) -> None:
  """Moves a damaged file of a run to its folder `broken`, and says so.

  Args:
    workdir: of the run.
    damaged: which file, and why.
    then: what follows from it, for the person who reads it.
  """
  target = workdir / FOLDER / f"{damaged.file.name}.{uuid.uuid4().hex[:8]}"
  try:
    target.parent.mkdir(parents=True, exist_ok=True)
    atomic.move(damaged.file, target)
  except FileNotFoundError:  # Another host has set it aside, and has said so.
    return
  print(
    f"jaxbench: {damaged.file} is damaged ({damaged.reason}): moved to {target}; {then}",
    file=sys.stderr,
    flush=True,
  )
