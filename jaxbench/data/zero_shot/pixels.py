"""Sets whose images are arrays in files: MNIST's, HDF5."""

import gzip
import pathlib

import numpy as np

from jaxbench import errors
from jaxbench.data import image_files
from jaxbench.data.annotated import Annotated
from jaxbench.data.arrays import Arrays
from jaxbench.data.label_space import LabelSpace


def pixels(images: np.ndarray, labels: np.ndarray, space: LabelSpace) -> Annotated:
  """Uint8 images [N, h, w, 3] with labels [N], whose ids are their numbers."""
  return Annotated(Arrays(images, labels, space.class_names), space)


def mnist(path: pathlib.Path, space: LabelSpace) -> Annotated:
  """The handwritten digits of the test (LeCun et al., 1998), also compressed."""
  images, labels = _idx(path, "t10k-images-idx3-ubyte"), _idx(path, "t10k-labels-idx1-ubyte")
  return pixels(np.repeat(images[..., None], 3, axis=-1), labels, space)


def pcam(path: pathlib.Path, space: LabelSpace) -> Annotated:
  """PatchCamelyon (Veeling et al., 2018), in its authors' HDF5 files.

  Raises:
    InputError: a file is not there or broken, or h5py is not installed.
  """
  images = _hdf5(path / "camelyonpatch_level_2_split_test_x.h5", "x")
  labels = _hdf5(path / "camelyonpatch_level_2_split_test_y.h5", "y")
  return pixels(images, labels.reshape(len(labels)), space)


def _idx(folder: pathlib.Path, name: str) -> np.ndarray:
  """An array of bytes behind its shape in big-endian integers."""
  plain, packed = folder / name, folder / f"{name}.gz"
  file = plain if plain.is_file() else packed
  try:
    content = file.read_bytes() if file is plain else gzip.decompress(file.read_bytes())
    rank = content[3]
    shape = np.frombuffer(content, ">i4", rank, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * rank).reshape(shape)
  except (OSError, EOFError, ValueError, IndexError) as error:
    raise image_files.unreadable(file, error) from error


def _hdf5(file: pathlib.Path, name: str) -> np.ndarray:
  try:
    import h5py
  except ImportError as error:
    raise errors.InputError(
      f"{file} needs h5py: pip install 'jaxbench[hdf5]', or get wds_vtab-pcam from the hub"
    ) from error
  try:
    with h5py.File(file) as opened:
      return opened[name][:]
  except (OSError, KeyError) as error:
    raise image_files.unreadable(file, error) from error
