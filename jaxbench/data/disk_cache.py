"""What takes long to find out about files and holds as long as they do, kept between runs."""

import contextlib
import hashlib
import json
import os
import pathlib
from collections.abc import Callable
from typing import Any

from jaxbench.storage import atomic


def remember(kind: str, stamp: Any, find: Callable[[], Any]) -> Any:
  """`find()`, from the user's cache folder where it is known already.

  Args:
    kind: what is found out; another kind, or another way to find it, has another name.
    stamp: JSON that changes when the files do.
    find: returns JSON.
  """
  if (kept := remembered(kind, stamp)) is not None:
    return kept
  result = find()
  keep(kind, stamp, result)
  return result


def keep(kind: str, stamp: Any, result: Any) -> None:
  """Has `remembered` return `result`, JSON, from now on; `kind` and `stamp` as in `remember`."""
  file = _file(kind, stamp)
  with contextlib.suppress(OSError):  # A disk that takes no cache costs time, nothing else.
    file.parent.mkdir(parents=True, exist_ok=True)
    atomic.write(file, json.dumps(result).encode(), durable=False)


def remembered(kind: str, stamp: Any) -> Any:
  """What `keep` was given for this `kind` and `stamp`; None if nothing was, or it is broken."""
  with contextlib.suppress(OSError, ValueError):
    return json.loads(_file(kind, stamp).read_text())
  return None


def _file(kind: str, stamp: Any) -> pathlib.Path:
  key = hashlib.sha256(json.dumps([kind, stamp]).encode()).hexdigest()[:32]
  root = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache"))
  return root / "jaxbench" / "data" / f"{kind}-{key}.json"
