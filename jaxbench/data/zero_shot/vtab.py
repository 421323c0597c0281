"""The parts of EuroSAT and RESISC45 that VTAB tests on, known from the original folders.

TFDS orders examples by the MD5 of the split's name and their keys, and VTAB takes the last fifth
(Zhai et al., 2019, arXiv:1910.04867).
"""

import hashlib
import pathlib

from jaxbench import errors
from jaxbench.data.annotated import Annotated
from jaxbench.data.folder import Folder
from jaxbench.data.label_space import LabelSpace
from jaxbench.data.zero_shot.listed import listed


def tested_part(path: pathlib.Path, space: LabelSpace, *, total: int) -> Annotated:
  """The last fifth of a set in folders of its classes.

  Raises:
    InputError: there are not `total` images, so that nobody knows which they are.
  """
  names = [name for name in Folder(path).names if name.count("/") == 1]
  if len(names) != total:
    raise errors.InputError(
      f"{path} has {len(names):,} images in folders of classes; which of them are for the test "
      f"follows from all {total:,}"
    )
  chosen = last_fifth(names)
  return listed(path, {name: name.split("/")[0] for name in chosen}, space)


def last_fifth(names: list[str]) -> list[str]:
  """Of paths `Class/file.jpg`, those of the test, in TFDS's order."""

  def key(name: str) -> bytes:
    return hashlib.md5(b"train" + name.replace("/", "_", 1).encode()).digest()

  return sorted(names, key=key)[len(names) * 4 // 5 :]
