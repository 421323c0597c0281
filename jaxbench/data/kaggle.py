"""Kaggle's copy of ImageNet: flat validation images, whose classes a table tells."""

import csv
import pathlib
import re
from collections.abc import Sequence

from jaxbench import errors
from jaxbench.data import image_files

_FILE = "LOC_val_solution.csv"
_NAME = re.compile(r"ILSVRC2012_val_(\d{8})")


def check(place: pathlib.Path, wnids: Sequence[str]) -> None:
  """Compares the classes in Kaggle's table, if it lies in the folder or above, with the devkit's.

  Args:
    place: the images, `ILSVRC/Data/CLS-LOC/val` beside the table.
    wnids: of image 1, 2, ...

  Raises:
    InputError: the table is none or has another class for an image.
  """
  above = (place, *place.parents)[:5]
  table = next((folder / _FILE for folder in above if (folder / _FILE).is_file()), None)
  if table is None:
    return
  rows = csv.DictReader(image_files.read_lines(table))
  if not {"ImageId", "PredictionString"} <= set(rows.fieldnames or ()):
    raise errors.InputError(f"{table} lacks the columns ImageId and PredictionString")
  for row in rows:
    match = _NAME.fullmatch(row["ImageId"])
    said = (row["PredictionString"] or "").partition(" ")[0]
    if match is None or not 1 <= int(match[1]) <= len(wnids) or said != wnids[int(match[1]) - 1]:
      raise errors.InputError(
        f"{table}: {row['ImageId']} is of the class {said!r} there, but not in ImageNet's devkit"
      )
