"""ImageNet-C's published files in a report: 75 data sets that are one."""

import re
from typing import Any

import pyarrow as pa

from jaxbench import metrics
from jaxbench.metrics.on_disk import PART

NAME = "imagenet-c"


def gathered(run: dict[str, Any]) -> dict[str, Any]:
  """`run`, with the published parts of ImageNet-C as one data set.

  Its clean images are ImageNet's. Its cells keep their ids, so that nothing else has to know.
  """
  parts = {name: found for name in run["data"] if (found := re.match(PART, name))}
  if not parts:
    return run
  clean = [
    cell | {"data": NAME}
    for cell in run["cells"]
    if cell["data"] == "imagenet" and cell["perturbation"] == "clean"
  ]
  corrupted = [
    cell
    | {
      "data": NAME,
      "perturbation": found["corruption"],
      "severity": int(found["severity"]),
      "setting": found["severity"],
    }
    for cell in run["cells"]
    if (found := parts.get(cell["data"])) and cell["perturbation"] == "clean"
  ]
  corrupted.sort(key=lambda cell: (cell["perturbation"], cell["severity"]))
  rest = [
    cell for cell in run["cells"] if cell["data"] not in parts or cell["perturbation"] != "clean"
  ]
  more = {cell["data"] for cell in rest}  # Attacked or written on: told apart.
  kept = {name: known for name, known in run["data"].items() if name not in parts or name in more}
  return run | {
    "cells": [*rest, *clean, *corrupted],
    "data": kept | {NAME: run["data"][min(parts)]},
  }


def rows_of(name: str, rows: pa.Table) -> pa.Table:
  """The rows that belong to a data set of a gathered run."""
  return metrics.corrupted_on_disk(rows) if name == NAME else rows
