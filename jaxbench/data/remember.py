"""What takes long to find out about files and holds as long as they do, kept between runs."""

import contextlib
import hashlib
import json
import os
import pathlib
from collections.abc import Callable
from typing import Any

from jaxbench import whole


def remember(kind: str, stamp: Any, find: Callable[[], Any]) -> Any:
  """`find()`, from the user's cache folder where it is known already.

  Args:
    kind: what is found out; another kind, or another way to find it, has another name.
    stamp: JSON that changes when the files do.
    find: returns JSON.
  """
  key = hashlib.sha256(json.dumps([kind, stamp]).encode()).hexdigest()[:32]
  root = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache"))
  file = root / "jaxbench" / "data" / f"{kind}-{key}.json"
  with contextlib.suppress(OSError, ValueError):  # Absent or broken: found out anew.
    return json.loads(file.read_text())
  found = find()
  with contextlib.suppress(OSError):  # A disk that takes no cache costs time, nothing else.
    file.parent.mkdir(parents=True, exist_ok=True)
    whole.write(file, json.dumps(found).encode(), durable=False)
  return found
