"""Files that a reader sees whole or not at all, whatever happens to the writer."""

import os
import pathlib
import uuid

from etils import epath


def write(file: epath.Path | pathlib.Path, content: bytes, *, durable: bool = True) -> None:
  """Replaces `file` in one go.

  Args:
    file: in a folder that is there.
    content: all of it.
    durable: wait until it would outlive a power cut; not worth the time for what can be made again.
  """
  if "://" in str(file):  # Object stores publish an object when it is complete.
    file.write_bytes(content)
    return
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
