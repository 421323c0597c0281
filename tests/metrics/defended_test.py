"""What a defence is worth, from made-up rows whose figures are counted by hand."""

import numpy as np
import pyarrow as pa
import pytest

from jaxbench import metrics, records

BASE, DEFENDED = "clip", "clip|ttc(steps=2)"
EXAMPLES = 8
CELLS = {  # Which of the examples are right, or how far.
  (BASE, "clean"): np.ones(8),
  (BASE, "gray"): [1, 1, 0, 0, 0, 0, 0, 0],
  (BASE, "white"): [1, 0, 1, 0, 0, 0, 0, 0],
  (BASE, "black"): [1, 1, 1, 1, 1, 1, 1, 1],
  (DEFENDED, "clean"): [1, 1, 1, 1, 1, 1, 1, 0],
  (DEFENDED, "gray"): [1, 1, 1, 0.5, 0.5, 0, 0, 1],
  (DEFENDED, "white"): [1, 1, 0.75, 0.5, 1, 1, 1, 1],
  (DEFENDED, "black"): [1, 1, 1, 1, 1, 1, 0, 0],
}


def _cell(model, level):
  surrogate = {"gray": BASE, "white": "clip>clip|ttc(backward='bpda', steps=2)"}.get(level)
  return {
    "id": f"{model} {level}",
    "model": model,
    "data": "digits",
    "prompts": "simple",
    "surrogate": surrogate,
    "perturbation": f"transfer(pgd, {surrogate})" if surrogate else level,
    "severity": None,
    "epsilon": None if level == "clean" else 4 / 255,
    "backwards": 0 if level in ("clean", "black") else 9,
  }


@pytest.fixture(scope="module")
def found():
  tables = []
  for (model, level), right in CELLS.items():
    right = np.asarray(right, float)
    columns = {
      "example": [str(number) for number in range(EXAMPLES)],
      "label": np.zeros(EXAMPLES, np.int32),
      "clean_prediction": np.zeros(EXAMPLES, np.int32),
      "prediction": np.where(right > 0.5, 0, 1).astype(np.int32),
      "forwards": np.ones(EXAMPLES, np.int32),
      "backwards": np.zeros(EXAMPLES, np.int32),
    }
    if model == DEFENDED:
      columns["right"] = right.astype(np.float32)
    shared = {"cell": f"{model} {level}", "model": model, "data": "digits", "perturbation": level}
    tables.append(records.table(shared, columns))
  cells = [_cell(*key) for key in CELLS]
  return metrics.summarize_defended(pa.concat_tables(tables), cells)


def test_the_worst_of_each_image_is_compared_with_that_of_the_base(found):
  (row,) = found
  assert (row.model, row.base, row.examples) == (DEFENDED, BASE, EXAMPLES)
  levels = (row.clean, row.gray, row.white, row.black)
  assert levels == pytest.approx((7 / 8, 5 / 8, 7.25 / 8, 6 / 8))
  worst = np.array([1, 1, 0.75, 0.5, 0.5, 0, 0, 0])
  base = np.array([1, 0, 0, 0, 0, 0, 0, 0])
  assert (row.worst, row.base_worst) == pytest.approx((worst.mean(), base.mean()))
  assert (row.majority, row.always) == (3 / 8, 2 / 8)
  assert row.difference == pytest.approx((worst - base).mean())
  draw = np.random.default_rng(3).integers(0, EXAMPLES, (4000, EXAMPLES))
  ends = np.percentile((worst - base)[draw].mean(axis=1), [2.5, 97.5])
  np.testing.assert_allclose((row.low, row.high), ends, atol=0.04)


def test_reasons_for_doubt_are_found(found):
  (row,) = found
  assert [reason.split(":")[0] for reason in metrics.defence_doubts(row)] == [
    "images made on the undefended model fool it more often than images made through it",
    "queries of answers fool it more often than gradients do",
  ]
  alone = row._replace(white=None)
  (reason,) = metrics.defence_doubts(alone)
  assert reason.startswith("nothing was made through it")
  assert not list(metrics.defence_doubts(row._replace(gray=0.95, black=0.95)))
