"""Retrieval in folds: recall as the mean over five fifths of a set, each searched by itself."""

import collections
import math
import re
from typing import Any

import pyarrow as pa

from jaxbench.metrics.recall import AT, recalls

COUNT = 5
# "mscoco_captions-1k/3", or "/data/coco.json(fold=3, images='val2014')".
_NAMES = (
  re.compile(r"(?P<before>.+-1k)/(?P<fold>[1-5])(?P<after>)"),
  re.compile(r"(?P<before>.+[(\s,])fold=(?P<fold>[1-5])(?P<after>\W.*)", re.DOTALL),
)
_APART = ("cell", "data", "queries")


def recalls_over_folds(rows: pa.Table) -> pa.Table:
  """Of sets of which all five folds are there, the means of their recalls.

  COCO-1k of older papers (VSE++, Faghri et al., 2018, arXiv:1707.05612, and others) is five times
  1,000 images; recall is higher there than among all 5,000.

  Args:
    rows: of `records.read`, with `RECALL_COLUMNS` at least.

  Returns:
    as `recalls` has it, with the `cell` of the first fold and all `queries`. Intervals have the
    half-widths of the folds combined, since no fold has a query of another.
  """
  table = recalls(rows)
  found: dict[tuple[Any, ...], dict[int, dict[str, Any]]] = collections.defaultdict(dict)
  counts = {f"recall_{k}{end}" for k in AT for end in ("", "_low", "_high", "_tied")}
  for line in table.to_pylist():
    whole, fold = _split(line["data"])
    shared = (line[name] for name in line if name not in counts and name not in _APART)
    if fold:
      found[whole, *shared][fold] = line
  lines = [
    _mean(key[0], [folds[fold] for fold in sorted(folds)])
    for key, folds in found.items()
    if len(folds) == COUNT
  ]
  return pa.Table.from_pylist(lines, table.schema)


def _split(data: str) -> tuple[str, int]:
  """What a fold is of, and which; 0 of what is none."""
  for name in _NAMES:
    if match := name.fullmatch(data):
      said = f"fold=1 to {COUNT}" if match["after"] else ""
      return f"{match['before']}{said}{match['after']}", int(match["fold"])
  return data, 0


def _mean(whole: str, folds: list[dict[str, Any]]) -> dict[str, Any]:
  line = folds[0] | {
    "data": f"{whole}, mean of {COUNT} folds",
    "queries": sum(fold["queries"] for fold in folds),
  }
  for k in AT:
    name = f"recall_{k}"
    share = sum(fold[name] for fold in folds) / COUNT
    below, above = (
      math.hypot(*(fold[name] - fold[f"{name}{end}"] for fold in folds)) / COUNT
      for end in ("_low", "_high")
    )
    line |= {name: share, f"{name}_low": share - below, f"{name}_high": share + above}
    line[f"{name}_tied"] = sum(fold[f"{name}_tied"] for fold in folds) / COUNT
  return line
