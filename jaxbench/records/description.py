"""What a run says of itself: `run.json`, and what each of its processes says beside."""

import itertools
import json
from collections.abc import Iterable, Mapping
from typing import Any

from etils import epath

from jaxbench import errors, whole

FILE = "run.json"
SLOTS = "slots.json"


def load_run(workdir: epath.PathLike) -> dict[str, Any]:
  """What `run.json` and all sessions say of a run.

  Raises:
    InputError: there is none.
  """
  content = whole.read(epath.Path(workdir) / FILE)
  if content is None:
    raise errors.InputError(f"{workdir}: not the --workdir of a run (no run.json)")
  run = json.loads(content)
  found = sessions(epath.Path(workdir))
  own: list[dict[str, Any]] = [one | {"name": name} for name, one in found.items()]
  for name in ("absent", "warnings"):
    told = [*run.get(name, []), *itertools.chain(*(one.pop(name, []) for one in own))]
    run[name] = [one for place, one in enumerate(told) if one not in told[:place]]
  return run | {"sessions": [*run.get("sessions", []), *own]}


def slots(workdir: epath.Path) -> int | None:
  """Slots on each device, where they are not as the config has them."""
  content = whole.read(workdir / SLOTS)
  return json.loads(content) if content else None


def sessions(workdir: epath.Path) -> dict[str, dict[str, Any]]:
  """By name, in the order in which they began."""
  folder = workdir / "sessions"
  names = [name for name in whole.listing(folder) if name.endswith(".json")]
  found = {
    name.removesuffix(".json"): json.loads(content)
    for name in sorted(names)
    if not name.startswith(".") and (content := whole.read(folder / name))
  }
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
