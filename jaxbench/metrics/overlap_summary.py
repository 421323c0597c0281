"""Overlap with training data over the data sets of a run, and the robustness left without it.

RoZ (arXiv:2403.10499) suspects that overlap explains part of CLIP's robustness under shifts.
Mayilvahanan et al. (2023, arXiv:2310.09562) trained CLIP without images nearer to the tests than
ImageNet's; its accuracy stayed high overall, which weakens that claim.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jaxbench import errors, records
from jaxbench.metrics.effective import summarize_shifts
from jaxbench.metrics.overlap import Curve, overlap, overlap_curve
from jaxbench.metrics.summary import is_correct, is_example, summarize

Similarities = Mapping[tuple[str, str], float]  # By data set and example; to its nearest reference.


def summarize_overlap(
  rows: pa.Table, similarities: Similarities, thresholds: Mapping[str, float]
) -> list[dict[str, Any]]:
  """Overlap of each data set and classifier of a run, on images without perturbation.

  Args:
    rows: of `records.read`.
    similarities: of every example of the data sets that were searched.
    thresholds: of each data set that is to be told; an example overlaps if it is not below.

  Returns:
    for each classifier and data set `data`, `model`, `prompts`, `threshold`, the fields of
    `Overlap`, and `adjusted`, the p-value after Bonferroni over the classifier's data sets.

  Raises:
    InputError: an example of such a data set was not searched.
  """
  lines = []
  for (name, model, prompts), examples in _cells(rows, thresholds):
    similarity = _similarity(examples["data"], examples["example"], similarities)
    figures = overlap(
      similarity >= np.float32(thresholds[name]), is_correct(examples), examples["label"]
    )
    subject = {"data": name, "model": model, "prompts": prompts, "threshold": thresholds[name]}
    lines.append(subject | figures._asdict())
  for line in lines:
    tests = sum(
      other["p_value"] is not None
      for other in lines
      if (other["model"], other["prompts"]) == (line["model"], line["prompts"])
    )
    p_value = line["p_value"]
    line["adjusted"] = None if p_value is None else min(1.0, tests * p_value)
  return lines


def overlap_curves(
  rows: pa.Table, similarities: Similarities, names: Mapping[str, Any], steps: int = 200
) -> dict[tuple[str, str, str | None], Curve]:
  """Each `overlap_curve` from the median similarity up, by data set of `names`, model, prompts."""
  curves = {}
  for key, examples in _cells(rows, names):
    similarity = _similarity(examples["data"], examples["example"], similarities)
    thresholds = np.linspace(np.median(similarity), similarity.max(), steps)
    curves[key] = overlap_curve(similarity, is_correct(examples), thresholds)
  return curves


def summarize_clean_shifts(
  rows: pa.Table, similarities: Similarities, thresholds: Mapping[str, float]
) -> list[dict[str, Any]]:
  """The effective robustness of `summarize_shifts`, and what is left of it on clean subsets.

  A frame of a video goes with its anchor.

  Args:
    rows: of `records.read`.
    similarities: of every example of the data sets that were searched.
    thresholds: of each data set; shifts count where both of their data sets have one.

  Returns:
    the rows of `summarize_shifts`, each with `clean_standard`, `clean_accuracy` and
    `clean_effective_robustness`; None where nothing is clean.
  """
  plain = rows.filter(pc.and_(_among(rows, thresholds), _is_plain(rows)))
  if not len(plain):
    return []
  owners = pc.coalesce(plain["anchor"], plain["example"])
  limits = np.array([thresholds[name] for name in plain["data"].to_pylist()], np.float32)
  clean = pa.array(_similarity(plain["data"], owners, similarities) < limits)
  left = {
    tuple(row[name] for name in ("shift", "model", "prompts")): row
    for row in summarize_shifts(summarize(plain.filter(clean))).to_pylist()
  }
  lines = []
  for row in summarize_shifts(summarize(plain)).to_pylist():
    clean_row = left.get((row["shift"], row["model"], row["prompts"]), {})
    names = ("standard", "accuracy", "effective_robustness")
    lines.append(row | {f"clean_{name}": clean_row.get(name) for name in names})
  return lines


def _cells(
  rows: pa.Table, names: Mapping[str, Any]
) -> list[tuple[tuple[str, str, str | None], pa.Table]]:
  """The examples of each cell without perturbation, by data set, model and prompts."""
  kept = pc.and_(pc.and_(_among(rows, names), _is_plain(rows)), is_example(rows))
  cells = []
  for examples in records.by_cell(rows.filter(kept)).values():
    data, model, prompts = (examples[name][0].as_py() for name in ("data", "model", "prompts"))
    cells.append(((data, model, prompts), examples))
  return cells


def _among(rows: pa.Table, names: Mapping[str, Any]) -> pa.ChunkedArray:
  return pc.is_in(rows["data"].cast(pa.string()), pa.array(list(names), pa.string()))


def _is_plain(rows: pa.Table) -> pa.Array:
  return records.is_value(rows["perturbation"], "clean")


def _similarity(
  data: pa.ChunkedArray, examples: pa.ChunkedArray, similarities: Similarities
) -> np.ndarray:
  """float32 [N]."""
  keys = list(zip(data.to_pylist(), examples.to_pylist(), strict=True))
  if missing := [key for key in keys if key not in similarities]:
    raise errors.InputError(
      f"{len(missing)} of {len(keys)} examples of {missing[0][0]} were not searched, "
      f"{missing[0][1]!r} for one; embed all that the run evaluates"
    )
  return np.array([similarities[key] for key in keys], np.float32)
