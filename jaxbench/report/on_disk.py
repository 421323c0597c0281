"""ImageNet-C's published files in a report: 75 data sets that are one."""

import re
from typing import Any

from jaxbench.metrics.on_disk import PART
from jaxbench.records import kinds

NAME = "imagenet-c"


def gathered(run: dict[str, Any]) -> dict[str, Any]:
  """`run`, with the published parts of ImageNet-C as one data set.

  Its clean images are ImageNet's. Its cells keep their ids, so that nothing else has to know.
  """
  parts = {name: part for name in run["data"] if (part := re.match(PART, name))}
  if not parts:
    return run
  clean = [
    cell | {"data": NAME}
    for cell in run["cells"]
    if cell["data"] == "imagenet" and cell["kind"] == kinds.CLEAN
  ]
  corrupted = [
    cell
    | {
      "data": NAME,
      "kind": kinds.CORRUPTION,
      "perturbation": part["corruption"],
      "severity": int(part["severity"]),
      "setting": part["severity"],
    }
    for cell in run["cells"]
    if (part := parts.get(cell["data"])) and cell["kind"] == kinds.CLEAN
  ]
  corrupted.sort(key=lambda cell: (cell["perturbation"], cell["severity"]))
  rest = [cell for cell in run["cells"] if cell["data"] not in parts or cell["kind"] != kinds.CLEAN]
  more = {cell["data"] for cell in rest}  # Attacked or written on: told apart.
  kept = {name: data for name, data in run["data"].items() if name not in parts or name in more}
  return run | {
    "cells": [*rest, *clean, *corrupted],
    "data": kept | {NAME: run["data"][min(parts)]},
  }
