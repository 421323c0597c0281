"""Sets that tell their labels in files of MATLAB."""

import pathlib
from typing import Any

import numpy as np
import scipy

from jaxbench.data import image_files
from jaxbench.data.annotated import Annotated
from jaxbench.data.label_space import LabelSpace
from jaxbench.data.zero_shot.listed import listed
from jaxbench.data.zero_shot.pixels import pixels


def cars(path: pathlib.Path, space: LabelSpace) -> Annotated:
  """The Stanford cars (Krause et al., 2013), by either of their lists; labels begin with 1."""
  newer = path / "cars_test_annos_withlabels.mat"
  if newer.is_file():
    names = _read(path / "devkit/cars_meta.mat")["class_names"]
    rows = [(row.fname, getattr(row, "class")) for row in _read(newer)["annotations"]]
    return listed(path / "cars_test", {name: names[label - 1] for name, label in rows}, space)
  content = _read(path / "cars_annos.mat")
  names = content["class_names"]
  tested = [row for row in content["annotations"] if row.test == 1]
  kinds = {row.relative_im_path: names[getattr(row, "class") - 1] for row in tested}
  return listed(path, kinds, space)


def flowers(path: pathlib.Path, space: LabelSpace) -> Annotated:
  """The Oxford flowers (Nilsback & Zisserman, 2008): `tstid` are the 6,149 images of the test."""
  labels = _read(path / "imagelabels.mat")["labels"]
  numbers = _read(path / "setid.mat")["tstid"]
  kinds = {f"image_{number:05}.jpg": str(labels[number - 1]) for number in numbers}
  return listed(path / "jpg", kinds, space)


def svhn(path: pathlib.Path, space: LabelSpace) -> Annotated:
  """The house numbers' cropped digits (Netzer et al., 2011); what is called 10 is 0."""
  content = _read(path if path.is_file() else path / "test_32x32.mat")
  return pixels(content["X"].transpose(3, 0, 1, 2), content["y"] % 10, space)


def _read(file: pathlib.Path) -> dict[str, Any]:
  """Arrays, and arrays of objects that have the fields of structures."""
  try:
    content = scipy.io.loadmat(file, struct_as_record=False, squeeze_me=True)
  except (OSError, ValueError, TypeError, NotImplementedError) as error:
    raise image_files.unreadable(file, error) from error
  return {name: np.atleast_1d(value) for name, value in content.items() if name[0] != "_"}
