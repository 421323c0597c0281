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
    "prediction": [4, 2] if model == DEFENDED else None,
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


def test_levels_are_told_by_derivative_and_attack(found):
  (row,) = found
  assert row.white_by == {"bpda, from gray": pytest.approx(7.25 / 8)}
  assert row.black_by == {"black": pytest.approx(6 / 8)}
  assert (row.base_clean, row.same, row.passes) == (1, 7 / 8, (4, 2))


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
  assert reason.startswith("no attack went through it")
  sound = row._replace(gray=0.95, black=0.95)
  assert not list(metrics.defence_doubts(sound))
  (reason,) = metrics.defence_doubts(sound._replace(same=1.0, low=0.1))
  assert "hide gradients" in reason
  (reason,) = metrics.defence_doubts(sound._replace(epsilon=64 / 255), classes=10)
  assert reason.startswith("at 64/255, where images may look like anything")
  assert not list(metrics.defence_doubts(sound._replace(epsilon=64 / 255), classes=2))


def test_more_of_an_attack_that_takes_more_has_not_converged():
  texts = {"pgd(steps=10)": 4, "pgd(steps=100)": 3, "pgd(draws=4, steps=10)": 4, "fgsm": 8}
  tables, cells = [], []
  for text, count in texts.items():
    cell = _cell(DEFENDED, "white") | {"id": text, "attack": text, "kind": "transfer"}
    cells.append(cell)
    right = np.arange(EXAMPLES) < count
    columns = {
      "example": [str(number) for number in range(EXAMPLES)],
      "label": np.zeros(EXAMPLES, np.int32),
      "prediction": (~right).astype(np.int32),
      "clean_prediction": np.zeros(EXAMPLES, np.int32),
      "forwards": np.ones(EXAMPLES, np.int32),
      "backwards": np.ones(EXAMPLES, np.int32),
    }
    shared = {"cell": text, "model": DEFENDED, "data": "digits", "perturbation": text}
    tables.append(records.table(shared, columns))
  efforts = metrics.summarize_effort(pa.concat_tables(tables), cells)
  by_parameter = {(row.parameter, row.attack): row for row in efforts}
  assert by_parameter["steps", "pgd"].accuracy == ((10, 0.5), (100, 0.375))
  assert by_parameter["draws", "pgd(steps=10)"].accuracy == ((1, 0.5), (4, 0.5))
  assert len(efforts) == 2
  (reason,) = metrics.effort_doubts(by_parameter["steps", "pgd"])
  assert reason.startswith("100 steps of pgd instead of 10 take another 12.5 points")
  assert not list(metrics.effort_doubts(by_parameter["draws", "pgd(steps=10)"]))
