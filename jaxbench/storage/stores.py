"""The stores that files lie in: disks, network file systems, and object stores (gs://, s3://).

Errors that pass by themselves are waited out, for a minute (clients of object stores do so
themselves).
"""

import errno
from typing import Any

import fsspec
import tenacity
from etils import epath

_PASSING = (
  errno.EAGAIN,
  errno.EBUSY,
  errno.ECONNRESET,
  errno.EIO,
  errno.ESTALE,
  errno.ETIMEDOUT,
)
_PATIENCE = 60.0  # Seconds.


def _passes(error: BaseException) -> bool:
  return isinstance(error, OSError) and error.errno in _PASSING


patiently = tenacity.retry(
  retry=tenacity.retry_if_exception(_passes),
  wait=tenacity.wait_exponential(multiplier=0.2, max=10) + tenacity.wait_random(0, 0.2),
  stop=tenacity.stop_after_delay(_PATIENCE),
  reraise=True,
)


def is_remote(place: epath.PathLike) -> bool:
  """Whether a file or folder is in an object store."""
  return "://" in str(place)


def remotely(what: str, file: epath.PathLike, *arguments: Any, **options: Any) -> Any:
  """What a method of an object store's file system returns.

  Args:
    what: the name of the method.
    file: its first argument, which also says which store it is.
    *arguments: its others.
    **options: likewise.

  Raises:
    OSError: whatever went wrong there.
  """

  @patiently
  def act() -> Any:
    store, path = fsspec.url_to_fs(str(file))
    return getattr(store, what)(path, *arguments, **options)

  try:
    return act()
  except OSError:
    raise
  except Exception as error:
    raise OSError(f"{file}: {type(error).__name__}: {error}") from error


def timestamp(entry: dict[str, Any]) -> float:
  """When an object was last written, seconds since 1970; stores name it differently."""
  time = entry.get("mtime") or entry.get("LastModified") or entry.get("created") or 0
  return time.timestamp() if hasattr(time, "timestamp") else float(time)
