"""Files that a reader sees whole or not at all, whatever happens to the writer.

Folders may be local, on a network file system, or in an object store (gs://, s3://). Errors that
pass by themselves are waited out, for a minute (clients of object stores do so themselves); the
others come as OSError.
"""

import errno
import os
import pathlib
import uuid
from typing import Any, TypeAlias

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

File: TypeAlias = epath.Path | pathlib.Path


def _passes(error: BaseException) -> bool:
  return isinstance(error, OSError) and error.errno in _PASSING


_patiently = tenacity.retry(
  retry=tenacity.retry_if_exception(_passes),
  wait=tenacity.wait_exponential(multiplier=0.2, max=10) + tenacity.wait_random(0, 0.2),
  stop=tenacity.stop_after_delay(_PATIENCE),
  reraise=True,
)


def write(file: File, content: bytes, *, durable: bool = True) -> None:
  """Replaces `file` in one go.

  Args:
    file: in a folder that is there.
    content: all of it.
    durable: wait until it would outlive a power cut; not worth the time for what can be made again.

  Raises:
    OSError: it cannot be written; what was there is unharmed.
  """
  if _is_remote(file):  # Object stores publish an object when it is complete.
    _remotely("pipe_file", file, content)
  else:
    _replace(file, content, durable)


def create(file: File, content: bytes) -> bool:
  """Writes `file` if it is not there; of all who try, one at most succeeds.

  That is promised by O_EXCL of POSIX (on NFS since version 3), by ifGenerationMatch=0 on gs://, and
  by If-None-Match on s3://. On POSIX a reader may find the file empty for a moment.

  Args:
    file: in a folder that is there.
    content: unlike what others would write.

  Returns:
    Whether the file has this content, and so is the caller's.

  Raises:
    OSError: it cannot be written.
  """
  try:
    if _is_remote(file):
      _remotely("pipe_file", file, content, mode="create")
    else:
      _create(file, content)
  except FileExistsError:
    # An answer may have been lost after the first of several tries.
    return read(file) == content
  return True


def touch(file: File) -> None:
  """Makes now the time when `file` was last written; what it holds is of no interest.

  Raises:
    OSError: it cannot be written.
  """
  if _is_remote(file):
    _remotely("pipe_file", file, b"1")
  else:
    file.write_bytes(b"1")


def read(file: File) -> bytes | None:
  """All of a file; None if it is not there.

  Raises:
    OSError: it cannot be read.
  """
  try:
    return _remotely("cat_file", file) if _is_remote(file) else file.read_bytes()
  except FileNotFoundError:
    return None


def listing(folder: File) -> dict[str, float]:
  """The files of a folder as they are now, and when each was last written, by the store's clock.

  Returns:
    Seconds since 1970 by name; none for a folder that is not there.

  Raises:
    OSError: it cannot be read.
  """
  try:
    if not _is_remote(folder):
      with os.scandir(folder) as entries:
        found = {entry.name: _modified(entry) for entry in entries if entry.is_file()}
      return {name: time for name, time in found.items() if time is not None}
    _remotely("invalidate_cache", folder)  # Of what other hosts have written meanwhile.
    entries = _remotely("ls", folder, detail=True)
  except FileNotFoundError:
    return {}
  return {
    entry["name"].rsplit("/", 1)[-1]: _timestamp(entry)
    for entry in entries
    if entry["type"] == "file"
  }


def remove(file: File) -> None:
  """Removes a file, if it is there.

  Raises:
    OSError: it cannot be removed.
  """
  try:
    if _is_remote(file):
      _remotely("rm_file", file)
    else:
      file.unlink()
  except FileNotFoundError:
    pass


def move(file: File, target: File) -> None:
  """Moves a file within its store, to a name that is free.

  Raises:
    FileNotFoundError: it is not there.
    OSError: it cannot be moved.
  """
  if not _is_remote(file):
    _move(file, target)
    return
  content = read(file)
  if content is None:
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(file))
  write(target, content)
  remove(file)


def _is_remote(file: File) -> bool:
  return "://" in str(file)


@_patiently
def _replace(file: File, content: bytes, durable: bool) -> None:
  temporary = file.with_name(f".{file.name}.{uuid.uuid4().hex[:8]}.tmp")
  try:
    with open(temporary, "wb") as out:
      out.write(content)
      out.flush()
      if durable:
        os.fsync(out.fileno())
    os.replace(temporary, file)
  except BaseException:
    temporary.unlink(missing_ok=True)
    raise
  if durable:
    folder = os.open(file.parent, os.O_RDONLY)
    try:
      os.fsync(folder)
    finally:
      os.close(folder)


@_patiently
def _move(file: File, target: File) -> None:
  os.replace(file, target)


@_patiently
def _create(file: File, content: bytes) -> None:
  with open(file, "xb") as out:
    out.write(content)


def _remotely(what: str, file: File, *arguments: Any, **options: Any) -> Any:
  """A method of the object store's file system; its errors become OSErrors."""

  @_patiently
  def act() -> Any:
    store, path = fsspec.url_to_fs(str(file))
    return getattr(store, what)(path, *arguments, **options)

  try:
    return act()
  except OSError:
    raise
  except Exception as error:
    raise OSError(f"{file}: {type(error).__name__}: {error}") from error


def _modified(entry: os.DirEntry[str]) -> float | None:
  try:
    return entry.stat().st_mtime
  except FileNotFoundError:  # It has just gone.
    return None


def _timestamp(entry: dict[str, Any]) -> float:
  """Object stores name it differently."""
  time = entry.get("mtime") or entry.get("LastModified") or entry.get("created") or 0
  return time.timestamp() if hasattr(time, "timestamp") else float(time)
