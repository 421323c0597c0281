"""Images in folders, one a class; or in tar archives of such folders, which stay packed."""

import functools
import os
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from jaxbench import errors
from jaxbench.data import files as filing
from jaxbench.data.labelled import Labelled
from jaxbench.data.tar import Tar


def folder(
  path: str | os.PathLike[str],
  class_names: Sequence[str] | None = None,
  *,
  labels: Mapping[str, int] | None = None,
  class_of: Callable[[str], str | None] = lambda name: name.split("/")[-2] if "/" in name else "",
  id_of: Callable[[str], str] = lambda name: name,
  under: str = "",
) -> Labelled:
  """A set of images whose classes are in their paths.

  An id is the path inside the set, without leading folders that all share: `cat/3.jpg` whether
  `pets/cat/3.jpg` lies on the disk or in a tar.

  Args:
    path: a folder, or a tar archive of one, not compressed; local.
    class_names: what the labels mean; by default the names of the classes found, sorted.
    labels: of the classes as the paths have them: `{"n01440764": 0, ...}`, `{"0": 0, ...}`;
      several may have one label. By default, paths have the class names themselves.
    class_of: a path's class, by default its last folder; None leaves the image out.
    id_of: another id from the usual one.
    under: the folder inside `path` that holds the set.

  Raises:
    InputError: there are no images, a class is unknown, an archive is broken, compressed or
      leads out of itself, or a link leads out of the folder.

  Example:
    >>> data.folder("pets")  # pets/cat/1.jpg, pets/dog/1.jpg: the classes are cat and dog.
    >>> data.folder("imagenet-r.tar", names, labels={wnid: i for i, wnid in enumerate(wnids)})
  """
  place = pathlib.Path(path)
  files = Tar([place], under) if place.is_file() else Folder(place / under)
  ids = filing.without_shared_folders(files.names)
  return Labelled.of(files, map(id_of, ids), map(class_of, files.names), class_names, labels)


class Folder:
  """The images under a folder: `Files`."""

  def __init__(self, root: pathlib.Path):
    self.where, self._root = str(root), root
    try:
      found = sorted(_images(root, root.resolve()))
    except OSError as error:
      raise filing.unreadable(error.filename or root, error) from error
    if not found:
      raise errors.InputError(f"{root} holds no images")
    self.names = found

  @functools.cached_property
  def stamp(self) -> Any:
    """Place, size and time of every file."""
    return [filing.stamp(self._root / name) for name in self.names]

  def read(self, index: int) -> bytes:
    """The content of one file."""
    return (self._root / self.names[index]).read_bytes()


def _images(root: pathlib.Path, real: pathlib.Path, inside: str = "") -> Iterator[str]:
  """Paths of images below `root`."""
  with os.scandir(root / inside) as entries:
    for entry in entries:
      name = inside + entry.name
      if entry.is_symlink():
        _check_link(root / name, real)
      if entry.is_dir(follow_symlinks=False):
        if not entry.name.startswith("."):
          yield from _images(root, real, f"{name}/")
      elif filing.is_image(name):
        yield name


def _check_link(link: pathlib.Path, real: pathlib.Path) -> None:
  target = link.resolve()
  if not target.is_relative_to(real):
    raise errors.InputError(f"{link} is a link out of the data set, to {target}; copy it there")
  if target.is_dir():
    raise errors.InputError(f"{link} is a link to a folder of the same data set; remove it")
