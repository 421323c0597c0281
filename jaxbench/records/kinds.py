"""What is done to the examples of a cell: the kinds of perturbation, as `run.json` names them."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

CLEAN = "clean"
CORRUPTION = "corruption"
SEQUENCE = "sequence"
STYLIZATION = "stylization"
TYPOGRAPHY = "typography"
UNIVERSAL = "universal"  # One perturbation for all images.
TEXT_ATTACK = "text_attack"  # Of the texts, in place of images.
ATTACK = "attack"  # On the model itself, at one epsilon.
TARGETED = "targeted"  # The same, towards a class of each image.
SMALLEST = "smallest"  # An attack, bisected for the smallest epsilon.
CERTIFIED = "certified"  # Nothing is done but under noise: no smaller perturbation changes more.
TRANSFER = "transfer"  # Made on a surrogate.
SMALLEST_TRANSFER = "smallest_transfer"
JOINT = "joint"  # Of images and captions together, made on a surrogate.

BISECTED = (SMALLEST, SMALLEST_TRANSFER)
_NAMES = {"clean": CLEAN, "stylized": STYLIZATION}
_OF_TEXTS = ("charmer", "leaf", "listed")
_CALLS = {  # The first that fits.
  "certify": CERTIFIED,
  "sequence(": SEQUENCE,
  "universal(": UNIVERSAL,
  "smallest(transfer(": SMALLEST_TRANSFER,
  "smallest(": SMALLEST,
  "transfer(": TRANSFER,
  "joint(": JOINT,
  "targeted(": TARGETED,
}


def of(cell: Mapping[str, Any]) -> str:
  """The kind of a cell, by the way its perturbation has been written from the first version on.

  Args:
    cell: its `perturbation`, `severity` and `epsilon`, which `run.json`, every row and every line
      of `metrics.summarize` have.
  """
  text = cell["perturbation"]
  if text in _NAMES:
    return _NAMES[text]
  for start, kind in _CALLS.items():
    if text.startswith(start):
      return kind
  if text.partition("(")[0] in _OF_TEXTS:
    return TEXT_ATTACK
  if cell["severity"] is not None:
    return CORRUPTION
  return TYPOGRAPHY if cell["epsilon"] is None else ATTACK


def of_rows(rows: pa.Table) -> str:
  """The kind of the one cell that all of some rows, at least one, belong to."""
  (first,) = rows.slice(0, 1).select(["perturbation", "severity", "epsilon"]).to_pylist()
  return of(first)
