"""The sets as the hub has them, `clip-benchmark/wds_NAME`: with names and prompts of their own."""

import io
import pathlib
from itertools import chain, zip_longest
from typing import TypeVar

import numpy as np

from jaxbench import errors
from jaxbench.data import image_files
from jaxbench.data.annotated import Annotated
from jaxbench.data.classes import plain
from jaxbench.data.label_space import CLIP_BENCHMARK, LabelSpace
from jaxbench.data.several import several
from jaxbench.data.webdataset import Samples, samples, webdataset

T = TypeVar("T")
TEMPLATES = "zeroshot_classification_templates.txt"


def places(*names: str) -> tuple[str, ...]:
  """Where the shards of the test lie: of `clip-benchmark/wds_NAME`, `djghosh/wds_NAME_test`.

  Args:
    names: of a set, after "wds_"; DataComp's authors, who are the latter, leave "vtab-" out.
  """
  there = ((name, f"{name}_test", f"{name.removeprefix('vtab-')}_test") for name in names)
  return tuple(f"wds_{name}/test" for name in dict.fromkeys(chain(*there)))


def origin(name: str) -> str:
  """Where the hub has a set."""
  return f"https://huggingface.co/datasets/clip-benchmark/wds_{name}"


def shards(path: pathlib.Path, space: LabelSpace) -> Annotated:
  """The shards of a split, whose class names and templates must be those of the table.

  Args:
    path: the folder of the shards.
    space: of the set; what the hub's files say is what its CLIP_BENCHMARK prompts have.

  Raises:
    InputError: a line of `classnames.txt` or of the templates is another, or see `webdataset`.
  """
  numbers = {str(label): label for label in range(len(space.class_names))}
  return Annotated(checked(path, webdataset(path, space, labels=numbers), space), space)


def multilabel(path: pathlib.Path, space: LabelSpace) -> Annotated:
  """Shards whose labels are arrays of NumPy, 1 for each class that is in the image.

  Raises:
    InputError: an array is none of so many classes, or see `shards`.
  """
  found = samples(path, label="npy")
  right = [_present(found, index, len(space.class_names)) for index in found.labels]
  source = several(found.images, found.keys, right, space)
  source.source.shards = found.shards
  return checked(path, source, space)


def _present(found: Samples, index: int, count: int) -> list[int]:
  """The classes that are in an image."""
  content = found.files.read(index)
  try:
    array = np.load(io.BytesIO(content), allow_pickle=False)
  except ValueError as error:
    raise image_files.unreadable(pathlib.Path(found.files.names[index]), error) from error
  if array.shape != (count,) or not np.isin(array, (0, 1)).all():
    raise errors.InputError(
      f"{found.files.where}: {found.files.names[index]} is no 0 or 1 for each of {count} classes"
    )
  return np.flatnonzero(array).tolist()


def checked(path: pathlib.Path, source: T, space: LabelSpace) -> T:
  """`source`, if what lies beside it says nothing else than `space`; see `shards`."""
  own = next((each for each in space.prompts if each.source == CLIP_BENCHMARK), None)
  names = own.class_names if own is not None else space.class_names
  for folder in (path, path.parent):
    if (file := folder / image_files.CLASS_NAMES).is_file():
      _check(file, image_files.read_lines(file), names)
    if own is not None and (file := folder / TEMPLATES).is_file():
      lines = [line.replace("{c}", "{}") for line in image_files.read_lines(file)]
      _check(file, [line for line in lines if line.strip()], own.templates)
  return source


def _check(file: pathlib.Path, lines: list[str], known: tuple[str, ...]) -> None:
  """Raises InputError at the first line that says something else."""
  for number, (line, expected) in enumerate(zip_longest(lines, known)):
    if line is None or expected is None or plain(line) != plain(expected):
      shown = "the end" if line is None else repr(line)
      wanted = "the end" if expected is None else repr(expected)
      raise errors.InputError(
        f"{file}: line {number + 1} is {shown}, and {wanted} in the published set: its labels "
        "would mean something else"
      )
