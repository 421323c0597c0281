"""mCE by hand, bootstrap intervals against scipy's, and the table from records."""

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from jaxbench import errors, metrics, records
from jaxbench.metrics import mce as ce


def _correct(share=0.7, images=400):
  draw = np.random.default_rng(0)
  easy = draw.random(images)
  found = {(ce.CLEAN, 0): easy < share}
  for place, name in enumerate(ce.OFFICIAL):
    for severity in ce.SEVERITIES:
      found[name, severity] = (
        easy + 0.1 * draw.random(images) < share - 0.1 * severity + place / 200
      )
  return found


def test_mce_is_the_formula_of_the_paper():
  correct = _correct()
  found = metrics.corruption_errors(correct, reference=metrics.alexnet()).figures
  error = {key: 1 - column.mean() for key, column in correct.items()}
  alexnet, ces, relatives = metrics.alexnet(), [], []
  for name in ce.OFFICIAL:
    ours = [error[name, s] for s in range(1, 6)]
    theirs = [alexnet[name, s] for s in range(1, 6)]
    ces.append(sum(ours) / sum(theirs))
    clean, reference = error[ce.CLEAN, 0], alexnet[ce.CLEAN, 0]
    relatives.append(sum(x - clean for x in ours) / sum(x - reference for x in theirs))
    assert found[name].value == pytest.approx(ces[-1], abs=1e-6)
  assert found["mce"].value == pytest.approx(np.mean(ces), abs=1e-6)
  assert found["relative_mce"].value == pytest.approx(np.mean(relatives), abs=1e-5)
  everything = np.mean([error[name, s] for name in ce.OFFICIAL for s in range(1, 6)])
  assert found["mean"].value == pytest.approx(1 - everything, abs=1e-6)
  noise = [error[name, s] for name in ce.GROUPS["noise"] for s in range(1, 6)]
  assert found["noise"].value == pytest.approx(1 - np.mean(noise), abs=1e-6)


def test_alexnet_against_itself_is_one():
  """By the definition; and the shipped table has the means that every paper quotes."""
  images = 20_000
  correct = {
    key: np.arange(images) >= round(error * images) for key, error in metrics.alexnet().items()
  }
  found = metrics.corruption_errors(correct, reference=metrics.alexnet()).figures
  assert found["mce"].value == pytest.approx(1, abs=3e-4)
  assert found["relative_mce"].value == pytest.approx(1, abs=3e-3)
  quoted = (0.886, 0.894, 0.923, 0.820, 0.826, 0.786, 0.798, 0.867, 0.827, 0.819, 0.565, 0.853)
  quoted += (0.646, 0.718, 0.607)
  for name, mean in zip(ce.OFFICIAL, quoted, strict=True):
    assert np.mean([metrics.alexnet()[name, s] for s in range(1, 6)]) == pytest.approx(
      mean, abs=6e-4
    )


def test_intervals_are_those_of_scipy():
  values = np.random.default_rng(0).random((200, 3)) < [0.2, 0.5, 0.9]
  ours = metrics.bootstrap(
    values, lambda means: {"ratio": means[..., 0] / means[..., 2]}, resamples=4000
  )["ratio"]
  theirs = stats.bootstrap(
    (values[:, 0].astype(float), values[:, 2].astype(float)),
    lambda a, b, axis=-1: a.mean(axis=axis) / b.mean(axis=axis),
    paired=True,
    vectorized=True,
    method="percentile",
    n_resamples=4000,
    rng=1,
  ).confidence_interval
  assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.01)
  assert ours.value == pytest.approx(values[:, 0].mean() / values[:, 2].mean())


def test_intervals_cover_what_they_should():
  covered = 0
  for seed in range(200):
    values = np.random.default_rng(seed).random((150, 1)) < 0.3
    found = metrics.bootstrap(values, lambda means: {"": means[..., 0]}, seed=seed)[""]
    covered += found.low <= 0.3 <= found.high
  assert 0.88 <= covered / 200 <= 0.99


def test_what_is_missing_is_absent():
  correct = _correct()
  del correct["frost", 3]
  found = metrics.corruption_errors(correct, reference=metrics.alexnet())
  assert found.missing == ("frost",)
  assert not {"mce", "relative_mce", "mean", "weather", "frost"} & set(found.figures)
  assert {"clean", "noise", "blur", "digital", "fog"} <= set(found.figures)
  assert "fog" not in metrics.corruption_errors(correct).figures


def test_records_become_one_table_of_the_images_that_all_cells_have():
  def rows(perturbation, severity, examples, right, model="a", prompts="simple"):
    shared = {"cell": f"{model}{prompts}{perturbation}{severity}", "model": model, "data": "d"}
    shared |= {"prompts": prompts, "perturbation": perturbation, "severity": severity}
    label = np.zeros(len(examples), np.int32)
    predictions = 1 - np.asarray(right, np.int32)
    passes = {"forwards": label, "backwards": label}
    columns = {"example": examples, "label": label, "clean_prediction": label} | passes
    return records.table(shared, columns | {"prediction": predictions})

  table = pa.concat_tables(
    [
      rows("clean", None, ["x", "y", "z"], [1, 1, 0]),
      rows("fog", 2, ["z", "x", "y"], [1, 0, 1]),
      rows("fog", 3, ["z", "x"], [0, 1]),
      rows("fog", 3, ["x", "y", "z"], [0, 0, 0], model="b"),
      rows("clean", None, ["x", "y", "z"], [0, 0, 0], prompts=None),
    ]
  )
  found = metrics.correct_by_cell(table, "a", "simple", "d")
  assert {key: column.tolist() for key, column in found.items()} == {
    ("clean", 0): [True, False],
    ("fog", 2): [False, True],
    ("fog", 3): [True, False],
  }
  assert list(metrics.correct_by_cell(table, "a", None, "d")) == [("clean", 0)]
  assert metrics.correct_by_cell(table, "c", None, "d") == {}


def test_without_clean_images_there_is_mce_but_nothing_relative():
  correct = {key: found for key, found in _correct().items() if key[1]}
  found = metrics.corruption_errors(correct, reference=metrics.alexnet()).figures
  assert {"mce", "mean"} <= set(found)
  assert not {"clean", "relative_mce"} & set(found)


def test_a_reference_that_lacks_a_corruption_gives_no_mce():
  short = {key: error for key, error in metrics.alexnet().items() if key[0] != "frost"}
  found = metrics.corruption_errors(_correct(), reference=short).figures
  assert "fog" in found
  assert not {"frost", "mce", "relative_mce"} & set(found)


@pytest.mark.parametrize("correct", [{}, {("fog", 1): np.zeros(0, bool)}])
def test_nothing_in_common_is_one_clear_line(correct):
  with pytest.raises(errors.InputError, match="no image that all cells"):
    metrics.corruption_errors(correct)
