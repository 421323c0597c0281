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

# What `link` says on disks that have none: FAT, and some that FUSE and SMB mount.
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)


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


def create(file: File, content: bytes, *, durable: bool = False) -> bool:
  """Writes `file` if it is not there; of all who try, one at most succeeds.

  That is promised by `link` of POSIX, by ifGenerationMatch=0 on gs://, and by If-None-Match on
  s3://. Where a disk has no links, O_EXCL promises it (on NFS since version 3); a reader there may
  find the file empty for a moment.

  Args:
    file: in a folder that is there.
    content: unlike what others would write, if it matters who wrote it.
    durable: wait until it would outlive a power cut.

  Returns:
    Whether the file has this content, and so is the caller's.

  Raises:
    OSError: it cannot be written.
  """
  try:
    if is_remote(file):
      remotely("pipe_file", file, content, mode="create")
    else:
      _create(file, content, durable)
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
  temporary = _temporary(file)
  try:
    _fill(temporary, content, durable)
    os.replace(temporary, file)
  except BaseException:
    temporary.unlink(missing_ok=True)
    raise
  if durable:
    _keep_name(file)


@patiently
def _move(file: File, target: File) -> None:
  os.replace(file, target)


@patiently
def _create(file: File, content: bytes, durable: bool) -> None:
  temporary = _temporary(file)
  try:
    _fill(temporary, content, durable)
    os.link(temporary, file)
  except OSError as error:
    if error.errno not in _NO_LINKS:
      raise
    _create_in_place(file, content)
  finally:
    temporary.unlink(missing_ok=True)
  if durable:
    _keep_name(file)


def _create_in_place(file: File, content: bytes) -> None:
  with open(file, "xb") as out:
    try:
      out.write(content)
      out.flush()
    except BaseException:
      file.unlink(missing_ok=True)  # It is this process's, and would say nothing.
      raise


def _temporary(file: File) -> File:
  return file.with_name(f".{file.name}.{uuid.uuid4().hex[:8]}.tmp")


def _fill(file: File, content: bytes, durable: bool) -> None:
  with open(file, "wb") as out:
    out.write(content)
    out.flush()
    if durable:
      os.fsync(out.fileno())


def _keep_name(file: File) -> None:
  """Waits until the folder would outlive a power cut too."""
  folder = os.open(file.parent, os.O_RDONLY)
  try:
    os.fsync(folder)
  finally:
    os.close(folder)


def _modified(entry: os.DirEntry[str]) -> float | None:
  try:
    return entry.stat().st_mtime
  except FileNotFoundError:  # It has just gone.
    return None
