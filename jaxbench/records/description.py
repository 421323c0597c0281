"""What a run says of itself: `run.json`, and what each of its processes says beside."""

import itertools
import json
from collections.abc import Iterable, Mapping
from typing import Any

from etils import epath

from jaxbench import errors
from jaxbench.storage import atomic, damage

FILE = "run.json"
SLOTS = "slots.json"


def load_run(workdir: epath.PathLike) -> dict[str, Any]:
  """What `run.json` and all sessions say of a run.

  Raises:
    InputError: there is none, or it is damaged.
  """
  run = described(epath.Path(workdir))
  if run is None:
    raise errors.InputError(f"{workdir}: not the --workdir of a run (no run.json)")
  found = sessions(epath.Path(workdir))
  own: list[dict[str, Any]] = [one | {"name": name} for name, one in found.items()]
  for name in ("absent", "warnings"):
    told = [*run.get(name, []), *itertools.chain(*(one.pop(name, []) for one in own))]
    run[name] = [one for place, one in enumerate(told) if one not in told[:place]]
  return run | {"sessions": [*run.get("sessions", []), *own]}


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
  found = damage.parsed(workdir / SLOTS, content)
  if not isinstance(found, int) or found < 1:
    raise damage.Damaged(workdir / SLOTS, "it is no number of slots")
  return found


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
  """By name, in the order in which they began.

  Raises:
    Damaged: one says nothing.
  """
  told = {file.name.removesuffix(".json"): session(file) for file in session_files(workdir)}
  found = {name: one for name, one in told.items() if one is not None}
  return dict(sorted(found.items(), key=lambda item: item[1]["started"]))


def encoded(content: Any) -> bytes:
  """As files hold it."""
  return json.dumps(content, indent=1).encode()


def unlike(there: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
  """How the identity of a run differs from that of the same run as it is asked for now.

  What has been found since is no difference: data sets and models that were not on the disk.
  """
  parts = ("models", "data", "examples", "perturbations")
  found = {name: here[name] | there[name] for name in parts if name in there and name in here}
  return list(_differences({**there, **found}, here))


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
