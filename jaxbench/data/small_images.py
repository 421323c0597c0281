"""CIFAR-10, CIFAR-100, both corrupted, and STL-10 in their authors' files."""

import json
import pathlib

import numpy as np

from jaxbench import errors, tables
from jaxbench.data.arrays import Arrays

# Of each folder: its test images, bytes of labels before each, and the names of its classes.
_CIFAR = {
  "cifar-10-batches-bin": ("test_batch.bin", 1, "batches.meta.txt"),
  "cifar-100-binary": ("test.bin", 2, "fine_label_names.txt"),
}


def cifar(path: pathlib.Path) -> Arrays:
  """The 10,000 test images of CIFAR-10 or, by their fine labels, CIFAR-100 (Krizhevsky, 2009).

  Args:
    path: the folder `cifar-10-batches-bin` or `cifar-100-binary`.

  Raises:
    InputError: files are missing or truncated.
  """
  file, labels, names = _CIFAR[path.name]
  records = _read(path / file, labels + 3 * 32 * 32)
  images = records[:, labels:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
  return _arrays(images, records[:, labels - 1], _lines(path / names))


def cifar_c(name: str, severity: int, path: pathlib.Path) -> Arrays:
  """One corruption of CIFAR's test images at one severity (Hendrycks & Dietterich, 2019).

  Ids are those of the clean images.

  Args:
    name: "cifar10" or "cifar100".
    severity: 1 to 5.
    path: the file of the corruption, uint8 [50000, 32, 32, 3], five severities in a row; the labels
      [50000] are beside it in `labels.npy`.

  Raises:
    InputError: a file is missing, broken or of another shape.
  """
  images, labels = _load(path), _load(path.with_name("labels.npy"))
  if len(images) % 5 or labels.shape != (len(images),):
    raise errors.InputError(
      f"{path} has {len(images)} images, not five severities, with {len(labels)} labels"
    )
  each = len(images) // 5
  part = slice((severity - 1) * each, severity * each)
  names = json.loads(tables.path("cifar_classnames.json").read_text())[name]
  return _arrays(images[part], labels[part], names)


def _load(file: pathlib.Path) -> np.ndarray:
  try:
    return np.load(file, mmap_mode="r")
  except (OSError, ValueError, EOFError) as error:
    raise errors.InputError(f"{file} is not a whole .npy file of numbers: {error}") from error


def stl10(path: pathlib.Path) -> Arrays:
  """The 8,000 test images of STL-10, of 96 pixels a side (Coates et al., 2011).

  Args:
    path: the folder `stl10_binary`.

  Raises:
    InputError: files are missing or truncated.
  """
  pixels = _read(path / "test_X.bin", 3 * 96 * 96)
  images = pixels.reshape(-1, 3, 96, 96).transpose(0, 3, 2, 1)  # They are stored by columns.
  labels = _read(path / "test_y.bin", 1)[:, 0] - 1
  return _arrays(images, labels, _lines(path / "class_names.txt"))


def _arrays(images: np.ndarray, labels: np.ndarray, names: list[str]) -> Arrays:
  """With the ids that TFDS gives them, which end in the position."""
  ids = [f"test_{row:05d}" for row in range(len(images))]
  return Arrays(images, labels, [name.replace("_", " ") for name in names], ids)


def _read(file: pathlib.Path, size: int) -> np.ndarray:
  """Uint8 [N, size]."""
  try:
    content = np.fromfile(file, np.uint8)
  except OSError as error:
    raise errors.InputError(f"{file} cannot be read: {error.strerror or error}") from error
  if not len(content) or len(content) % size:
    raise errors.InputError(f"{file} is truncated or of another data set; copy it again")
  return content.reshape(-1, size)


def _lines(file: pathlib.Path) -> list[str]:
  try:
    return file.read_text().split()
  except OSError as error:
    raise errors.InputError(f"{file} cannot be read: {error.strerror or error}") from error
