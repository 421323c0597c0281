"""What a run says of itself: `run.json`, and what each of its processes says beside."""

import itertools
import json
from collections.abc import Iterable, Mapping
from typing import Any

from etils import epath

from jaxbench import errors
from jaxbench.records import kinds
from jaxbench.storage import atomic, damage

FILE = "run.json"
SLOTS = "slots.json"


def load_run(workdir: epath.PathLike) -> dict[str, Any]:
  """What `run.json` and all sessions say of a run, as today's version would have written it.

  Raises:
    InputError: there is none, or it is damaged.
  """
  run = described(epath.Path(workdir))
  if run is None:
    raise errors.InputError(f"{workdir}: not the --workdir of a run (no run.json)")
  processes: list[dict[str, Any]] = [
    session | {"name": name} for name, session in sessions(epath.Path(workdir)).items()
  ]
  for field in ("absent", "warnings"):
    said = [*run.get(field, []), *itertools.chain(*(each.pop(field, []) for each in processes))]
    run[field] = [entry for place, entry in enumerate(said) if entry not in said[:place]]
  if "cells" in run:
    run["cells"] = [_completed(cell) for cell in run["cells"]]
  return _ADDED | run | {"sessions": [*run.get("sessions", []), *processes]}


# Fields that `run.json` did not have in the first versions, with what is true of their runs.
_ADDED: dict[str, Any] = {"published": [], "flip_reference": None, "error_reference": None}
_ADDED_TO_CELLS = dict.fromkeys(("sequence", "surrogate", "knowledge", "native"))


def _completed(cell: Mapping[str, Any]) -> dict[str, Any]:
  """A cell with all fields that the report needs, whatever version has written it."""
  return _ADDED_TO_CELLS | {"kind": kinds.of(cell)} | dict(cell)


def described(workdir: epath.Path) -> dict[str, Any] | None:
  """What `run.json` says; None if there is none.

  Raises:
    Damaged: it says nothing.
  """
  content = atomic.read(workdir / FILE)
  return None if content is None else damage.parsed(workdir / FILE, content, identity=dict)


def slots(workdir: epath.Path) -> int | None:
  """Slots on each device, where they are not as the config has them.

  Raises:
    Damaged: the file says no number.
  """
  content = atomic.read(workdir / SLOTS)
  if not content:
    return None
  number = damage.parsed(workdir / SLOTS, content)
  if not isinstance(number, int) or number < 1:
    raise damage.Damaged(workdir / SLOTS, "it is no number of slots")
  return number


def session_files(workdir: epath.Path) -> list[epath.Path]:
  """One of each process."""
  folder = workdir / "sessions"
  names = [name for name in atomic.listing(folder) if name.endswith(".json")]
  return [folder / name for name in sorted(names) if not name.startswith(".")]


def session(file: epath.Path) -> dict[str, Any] | None:
  """What one process says; None if the file has gone.

  Raises:
    Damaged: it says nothing.
  """
  content = atomic.read(file)
  return None if content is None else damage.parsed(file, content, started=str)


def sessions(workdir: epath.Path) -> dict[str, dict[str, Any]]:
  """What all processes say, by their names, in the order in which they began.

  Raises:
    Damaged: one says nothing.
  """
  read = {file.name.removesuffix(".json"): session(file) for file in session_files(workdir)}
  present = {name: content for name, content in read.items() if content is not None}
  return dict(sorted(present.items(), key=lambda item: item[1]["started"]))


def encoded(content: Any) -> bytes:
  """What files hold of it."""
  return json.dumps(content, indent=1).encode()


def settled(earlier: Mapping[str, Any], now: Mapping[str, Any]) -> Mapping[str, Any]:
  """The identity as it is asked for now, with the slots of the run where none are asked for."""
  asked, recorded = (one.get("config", {}) for one in (now, earlier))
  if asked.get("slots") != 0 or "slots" not in recorded:
    return now
  return {**now, "config": {**asked, "slots": recorded["slots"]}}


def unlike(earlier: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
  """How the identity of a run differs from that of the same run as it is asked for now.

  What has been found since is no difference: data sets and models that were not on the disk.
  """
  parts = ("models", "data", "examples", "perturbations")
  joined = {name: now[name] | earlier[name] for name in parts if name in earlier and name in now}
  return list(_differences({**earlier, **joined}, now))


def _differences(there: Any, here: Any, name: str = "") -> Iterable[str]:
  """Fields that differ, by their dotted names."""
  if isinstance(there, dict) and isinstance(here, dict):
    for key in {**there, **here}:
      yield from _differences(there.get(key), here.get(key), f"{name}.{key}" if name else key)
  elif there != here:
    yield f"{name} is {_brief(there)} there and {_brief(here)} here"


def _brief(value: Any) -> str:
  text = json.dumps(value)
  return text if len(text) <= 80 else f"{text[:77]}..."
