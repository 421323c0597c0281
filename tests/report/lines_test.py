"""Lines of the effective-robustness plots: drawn where they can be, explained where they cannot."""

import re

import numpy as np
import pyarrow as pa
import pytest
from scipy import special

from jaxbench import metrics
from jaxbench.report import natural
from jaxbench.report.classifiers import Classifier

SLOPE, INTERCEPT = 1.3, -0.6


def _natural(standards, supervised):
  """Of models on a line between logits."""
  classifiers = [
    Classifier(f"m{index}", None if own else "simple", own, "#0072b2", "-")
    for index, own in enumerate(supervised)
  ]
  summary = []
  for one, standard in zip(classifiers, standards, strict=True):
    printed = float(special.expit(SLOPE * special.logit(standard) + INTERCEPT))
    for data, share in (("digits", standard), ("digits-printed", printed)):
      row = {"data": data, "model": one.model, "prompts": one.prompts, "perturbation": "clean"}
      row |= {"accuracy": share, "accuracy_low": share - 0.01, "accuracy_high": share + 0.01}
      summary.append(row | {"pm_accuracy": None, "examples": 100, "cell": f"{one.model} {data}"})
  shifts = metrics.summarize_shifts(pa.Table.from_pylist(summary)).to_pylist()
  return natural.natural(summary, shifts, classifiers, ["digits", "digits-printed"], {"cells": []})


def _grey_lines(svg):
  return len(re.findall(r'<path [^>]*style="fill: none;[^"]*stroke: #8c8c8c', svg))


@pytest.mark.parametrize(
  ("standards", "supervised", "has"),
  [
    ([0.5, 0.7, 0.9, 0.8], [True, True, False, False], 2),  # Zero-shot models do not count,
    ([0.5, 0.7, 0.7, 0.8], [True, True, True, False], 2),  # nor does the same accuracy twice,
    ([0.5, 0.7, 1.0, 0.8], [True, True, True, False], 2),  # nor what has no logit.
  ],
)
def test_too_few_models_have_no_line_and_the_page_says_why(standards, supervised, has):
  found = _natural(standards, supervised)
  (note,) = found.notes
  assert "digits-printed has no line" in note
  assert note.endswith(f"of which it has {has}")
  assert _grey_lines(found.plots[0]) == 1  # As accurate under the shift as without it.


def test_three_supervised_models_have_their_line():
  standards = np.array([0.5, 0.7, 0.9, 0.95])
  found = _natural(standards, [True, True, True, False])
  (note,) = found.notes
  assert re.search(r"this run's 3 supervised ones \(R² 1\.00\)", note)
  assert _grey_lines(found.plots[0]) == 2
