"""Telling outliers from what is known, against scikit-learn."""

import numpy as np
import pyarrow as pa
import pytest
from sklearn import metrics as sklearn

from jaxbench import metrics, records

WITHIN = metrics.OUTLIERS["imagenet-o"]


@pytest.mark.parametrize("levels", [4, 10**6], ids=["many equal scores", "all differ"])
@pytest.mark.parametrize(("known", "unknown"), [(1, 1), (20, 7), (333, 100)])
def test_figures_are_scikit_learns(levels, known, unknown):
  draw = np.random.default_rng(0)
  inliers = draw.integers(0, levels, known) / levels + 0.2 * draw.integers(0, 2, known)
  outliers = draw.integers(0, levels, unknown) / levels
  scores = np.concatenate([inliers, outliers])
  inside = np.arange(known + unknown) < known
  auroc = sklearn.roc_auc_score(inside, scores)
  assert metrics.auroc(inliers, outliers) == pytest.approx(auroc, abs=1e-12)
  passed, kept, _ = sklearn.roc_curve(inside, scores, drop_intermediate=False)
  assert metrics.fpr95(inliers, outliers) == passed[np.argmax(kept >= 0.95)]


def _rows(data, logits, prompts="own", model="m"):
  logits = np.asarray(logits, np.float32)
  broken = ~np.isfinite(logits).all(axis=1)
  odds = np.exp(logits - logits.max(axis=1, keepdims=True))
  prediction = np.where(broken, -1, logits.argmax(axis=1))
  return records.table(
    {
      "cell": f"{data}/{model}/{prompts}",
      "model": model,
      "data": data,
      "prompts": prompts,
      "perturbation": "clean",
    },
    {
      "example": [str(row) for row in range(len(logits))],
      "label": [0] * len(logits),
      "prediction": prediction,
      "clean_prediction": prediction,
      "confidence": np.where(broken, 0, odds.max(axis=1) / odds.sum(axis=1)),
      "scores": list(logits),
      "forwards": [1] * len(logits),
      "backwards": [0] * len(logits),
    },
  )


def test_both_scores_of_each_classifier_whose_inliers_are_there():
  draw = np.random.default_rng(1)
  inside, outside = draw.normal(2, 3, (60, 5)), draw.normal(0, 2, (30, 5))
  tables = [_rows("imagenet-o", outside), _rows(WITHIN, inside), _rows("imagenet-o", outside, "b")]
  found = metrics.summarize_outliers(pa.concat_tables(tables).unify_dictionaries()).to_pylist()
  assert [(row["prompts"], row["score"]) for row in found] == [
    ("own", "largest probability"),
    ("own", "largest logit"),
  ]
  truth = np.repeat([1, 0], [30, 60])
  logits = np.concatenate([outside, inside]).astype(np.float32)
  largest = logits.max(axis=1)
  assert found[1]["auroc"] == pytest.approx(sklearn.roc_auc_score(truth, -largest), abs=1e-12)
  assert found[1]["aupr"] == pytest.approx(sklearn.average_precision_score(truth, -largest))
  probability = np.exp(largest) / np.exp(logits).sum(axis=1)
  assert found[0]["auroc"] == pytest.approx(sklearn.roc_auc_score(truth, -probability), abs=1e-3)
  assert (found[0]["outliers"], found[0]["inliers"]) == (30, 60)
  text = metrics.overview_outliers(metrics.summarize_outliers(pa.concat_tables(tables[:2])))
  assert f"{100 * found[1]['auroc']:.1f}" in text
  assert metrics.overview_outliers(metrics.summarize_outliers(tables[0])) == ""


def test_logits_that_are_no_numbers_are_told_wrong():
  sure, unsure, nothing = [9.0, 0.0], [0.5, 0.0], [np.nan, 0.0]
  inside, outside = [sure] * 20, [unsure] * 20
  for inliers, outliers in (([nothing] * 20, outside), (inside, [nothing] * 20)):
    tables = [_rows("imagenet-o", outliers), _rows(WITHIN, inliers)]
    for row in metrics.summarize_outliers(pa.concat_tables(tables)).to_pylist():
      assert (row["auroc"], row["fpr95"]) == (0, 1)
