"""Images in folders, one a class; or in tar archives of such folders, which stay packed."""

import functools
import os
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from jaxbench import errors
from jaxbench.data import classes, image_files
from jaxbench.data.labelled import Labelled
from jaxbench.data.tar import Tar

_SPLITS = {"train", "training", "val", "valid", "validation", "test", "testing", "dev"}


def folder(
  path: str | os.PathLike[str],
  class_names: classes.Wanted | None = None,
  *,
  labels: Mapping[str, int] | None = None,
  class_of: Callable[[str], str | None] | None = None,
  id_of: Callable[[str], str] = lambda name: name,
  under: str = "",
) -> Labelled:
  """A set of images whose classes are in their paths.

  An id is the path inside the set, without leading folders that all share: `cat/3.jpg` whether
  `pets/cat/3.jpg` lies on the disk or in a tar.

  Args:
    path: a folder, or a tar archive of one, not compressed; local.
    class_names: what the labels mean; by default the names of the classes found, sorted. Names of a
      label space may be written as wnids or ImageNet's labels in the paths too.
    labels: of the classes as the paths have them: `{"n01440764": 0, ...}`, `{"0": 0, ...}`;
      several may have one label. By default, paths have the class names themselves.
    class_of: a path's class, by default its last folder; None leaves the image out.
    id_of: another id from the usual one.
    under: the folder inside `path` that holds the set.

  Raises:
    InputError: there are no images, or images without a folder, a class is unknown or lies in
      several folders, an archive is broken, compressed or leads out of itself, or a link leads out
      of the folder.

  Example:
    >>> data.folder("pets")  # pets/cat/1.jpg, pets/dog/1.jpg: the classes are cat and dog.
    >>> data.folder("imagenet-r.tar", names, labels={wnid: i for i, wnid in enumerate(wnids)})
  """
  place = pathlib.Path(path)
  files = Tar([place], under) if place.is_file() else Folder(place / under)
  ids = image_files.without_shared_folders(files.names)
  if class_of is None:
    _check_layout(files.where, files.names, ids)
  kinds = [(class_of or _last_folder)(name) for name in files.names]
  if labels is None:
    meaning = classes.named(files.where, [kind for kind in kinds if kind is not None], class_names)
  else:
    meaning = classes.given(files.where, class_names, labels)
  return Labelled.of(files, map(id_of, ids), kinds, meaning)


def _last_folder(name: str) -> str:
  return name.split("/")[-2]


def _check_layout(where: str, names: Sequence[str], ids: Sequence[str]) -> None:
  """Raises InputError if the last folder of each image is not just its class."""
  if flat := [name for name in names if "/" not in name]:
    raise errors.InputError(
      f"{where}: {len(flat)} of {len(names)} images are in no folder of a class, {flat[0]} first; "
      "make a folder for each class, and name the one above them"
    )
  tops = {name.split("/")[0] for name in ids}
  if len(tops) > 1 and {top.lower() for top in tops} <= _SPLITS:
    raise errors.InputError(
      f"{where} holds several splits, {' and '.join(sorted(tops))}; name one, as "
      f"{where}(under={_shared(names, ids) + min(tops)!r})"
    )
  above: dict[str, str] = {}
  for name in names:
    parent = name.rpartition("/")[0]
    other = above.setdefault(_last_folder(name), parent)
    if other != parent:
      raise errors.InputError(
        f"{where}: images of the class {_last_folder(name)!r} lie in {other} and in {parent}. Of "
        f"several splits or copies name one, as {where}(under={other.split('/')[0]!r}); if the "
        f"classes are the folders above, move the images up into them"
      )


def _shared(names: Sequence[str], ids: Sequence[str]) -> str:
  """The leading folders that ids lack."""
  return names[0].removesuffix(ids[0])


class Folder(image_files.Files):
  """The images under a folder: `Files`."""

  def __init__(self, root: pathlib.Path):
    self.where, self._root = str(root), root
    try:
      paths = sorted(_files(root, root.resolve()))
    except OSError as error:
      raise image_files.unreadable(error.filename or root, error) from error
    reasons = {name: image_files.why_not(name) for name in paths}
    self.names = [name for name in paths if reasons[name] is None]
    lost = (
      reason for name, reason in reasons.items() if reason and name != image_files.CLASS_NAMES
    )
    self.left_out = image_files.count(lost)
    if not self.names:
      raise image_files.no_images(self.where, self.left_out)

  @functools.cached_property
  def stamp(self) -> Any:
    """Place, size and time of every file."""
    return [image_files.stamp(self._root / name) for name in self.names]

  def read(self, index: int) -> bytes:
    """The content of one file."""
    return (self._root / self.names[index]).read_bytes()


def _files(root: pathlib.Path, real: pathlib.Path, inside: str = "") -> Iterator[str]:
  """Paths of files below `root`, but for those in hidden folders."""
  with os.scandir(root / inside) as entries:
    for entry in entries:
      name = inside + entry.name
      if entry.is_symlink():
        _check_link(root / name, real)
      if entry.is_dir(follow_symlinks=False):
        if not entry.name.startswith("."):
          yield from _files(root, real, f"{name}/")
      else:
        yield name


def _check_link(link: pathlib.Path, real: pathlib.Path) -> None:
  target = link.resolve()
  if not target.is_relative_to(real):
    raise errors.InputError(f"{link} is a link out of the data set, to {target}; copy it there")
  if target.is_dir():
    raise errors.InputError(f"{link} is a link to a folder of the same data set; remove it")
