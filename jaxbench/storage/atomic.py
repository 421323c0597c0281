"""Files that a reader sees whole or not at all, whatever happens to the writer.

Folders may be on any of the `stores`. Errors that do not pass by themselves come as OSError.
"""

import errno
import os
import pathlib
import uuid
from typing import TypeAlias

from etils import epath

from jaxbench.storage.stores import is_remote, patiently, remotely, timestamp

File: TypeAlias = epath.Path | pathlib.Path


def write(file: File, content: bytes, *, durable: bool = True) -> None:
  """Replaces `file` in one go.

  Args:
    file: in a folder that is there.
    content: all of it.
    durable: wait until it would outlive a power cut; not worth the time for what can be made again.

  Raises:
    OSError: it cannot be written; what was there is unharmed.
  """
  if is_remote(file):  # Object stores publish an object when it is complete.
    remotely("pipe_file", file, content)
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
    if is_remote(file):
      remotely("pipe_file", file, content, mode="create")
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
  if is_remote(file):
    remotely("pipe_file", file, b"1")
  else:
    file.write_bytes(b"1")


def read(file: File) -> bytes | None:
  """All of a file; None if it is not there.

  Raises:
    OSError: it cannot be read.
  """
  try:
    return remotely("cat_file", file) if is_remote(file) else file.read_bytes()
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
    if not is_remote(folder):
      with os.scandir(folder) as entries:
        times = {entry.name: _modified(entry) for entry in entries if entry.is_file()}
      return {name: time for name, time in times.items() if time is not None}
    remotely("invalidate_cache", folder)  # Of what other hosts have written meanwhile.
    objects = remotely("ls", folder, detail=True)
  except FileNotFoundError:
    return {}
  return {
    entry["name"].rsplit("/", 1)[-1]: timestamp(entry)
    for entry in objects
    if entry["type"] == "file"
  }


def remove(file: File) -> None:
  """Removes a file, if it is there.

  Raises:
    OSError: it cannot be removed.
  """
  try:
    if is_remote(file):
      remotely("rm_file", file)
    else:
      file.unlink()
  except FileNotFoundError:
    pass


def move(file: File, target: File) -> None:
  """Moves `file` within its store to `target`, a name that is free.

  Raises:
    FileNotFoundError: it is not there.
    OSError: it cannot be moved.
  """
  if not is_remote(file):
    _move(file, target)
    return
  content = read(file)
  if content is None:
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(file))
  write(target, content)
  remove(file)


@patiently
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


@patiently
def _move(file: File, target: File) -> None:
  os.replace(file, target)


@patiently
def _create(file: File, content: bytes) -> None:
  with open(file, "xb") as out:
    out.write(content)


def _modified(entry: os.DirEntry[str]) -> float | None:
  try:
    return entry.stat().st_mtime
  except FileNotFoundError:  # It has just gone.
    return None
