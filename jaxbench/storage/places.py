"""Files and folders that a person names, checked before any work is done for them."""

import os
import pathlib

import fsspec
from etils import epath

from jaxbench import errors
from jaxbench.storage.stores import is_remote


def for_file(flag: str, place: epath.PathLike) -> None:
  """Raises InputError if no file can be written there; its folder must exist.

  Args:
    flag: where the place was named, for the message.
    place: of the file, on a disk or in an object store.
  """
  _require_store(flag, place)
  if is_remote(place):
    return
  file = pathlib.Path(place)
  if file.is_dir():
    raise errors.InputError(f"{flag}={place} is a folder; name a file in it")
  if not file.parent.exists():
    raise errors.InputError(f"{flag}={place}: there is no folder {file.parent}; make it first")
  _require_folder(flag, place, file.parent)


def for_folder(flag: str, place: epath.PathLike) -> None:
  """Raises InputError if there can be no folder there, or nothing can be written to it.

  Args:
    flag: where the place was named, for the message.
    place: of the folder, which may not exist yet, on a disk or in an object store.
  """
  _require_store(flag, place)
  if is_remote(place):
    return
  folder = pathlib.Path(place).absolute()
  nearest = next(above for above in (folder, *folder.parents) if os.path.lexists(above))
  _require_folder(flag, place, nearest)


def _require_folder(flag: str, place: epath.PathLike, folder: pathlib.Path) -> None:
  if not folder.is_dir():
    raise errors.InputError(f"{flag}={place} cannot be used: Not a directory: {folder}")
  if not os.access(folder, os.W_OK | os.X_OK):
    raise errors.InputError(f"{flag}={place} cannot be used: {folder} may not be written to")


def _require_store(flag: str, place: epath.PathLike) -> None:
  """Raises InputError if a store's library is missing, or the store is not known."""
  if not is_remote(place):
    return
  kind = str(place).partition("://")[0]
  try:
    fsspec.get_filesystem_class(kind)
    epath.Path(place)
  except ImportError as error:
    way = "pip install jaxbench[tpu]" if kind == "gs" else str(error)
    raise errors.InputError(f"{flag}={place}: {kind}:// needs a package: {way}") from error
  except (KeyError, ValueError) as error:
    raise errors.InputError(
      f"{flag}={place}: {kind}:// is no store; write gs:// or s3://"
    ) from error
