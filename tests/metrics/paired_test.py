"""Paired comparison against scipy, closed forms and simulation."""

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from jaxbench import errors, metrics, records


def test_mcnemar_is_the_binomial_test_of_what_only_one_gets_right():
  rng = np.random.default_rng(0)
  for _ in range(20):
    one, two = rng.random((2, 60)) < rng.random((2, 1))
    found = metrics.mcnemar(one, two)
    table = [(one & ~two).sum(), (two & ~one).sum()]
    expected = stats.binomtest(int(table[0]), int(sum(table))).pvalue if sum(table) else 1
    assert found.p_value == pytest.approx(expected)
    assert found.difference == pytest.approx(one.mean() - two.mean())
    assert found.low <= found.difference <= found.high


@pytest.mark.parametrize("discordant", [1, 5, 6, 20, 61])
def test_mcnemar_errs_no_more_often_than_it_says(discordant):
  """All outcomes of coins: the share of those that look like a difference is below its level."""
  first = np.arange(discordant + 1)
  chance = stats.binom.pmf(first, discordant, 0.5)
  rows = np.arange(discordant)
  p_values = np.array([metrics.mcnemar(rows < k, rows >= k).p_value for k in first])
  for level in (0.01, 0.05, 0.2):
    assert chance[p_values <= level].sum() <= level + 1e-12


@pytest.mark.slow
def test_intervals_of_differences_hold_the_truth_as_often_as_they_say():
  rng = np.random.default_rng(1)
  shares, total, trials = np.array([0.15, 0.05, 0.8]), 300, 400
  truth = shares[0] - shares[1]
  inside = 0
  for kinds in rng.choice(3, size=(trials, total), p=shares):
    found = metrics.mcnemar(kinds == 0, kinds == 1)
    inside += found.low <= truth <= found.high
  assert 0.92 < inside / trials < 0.98


@pytest.mark.slow
def test_proportions_hold_the_truth_at_least_as_often_as_they_say():
  """Clopper and Pearson's interval is conservative: exactly, over all outcomes."""
  for total, share in ((10, 0.2), (50, 0.9), (200, 0.5)):
    counts = np.arange(total + 1)
    ends = [metrics.proportion(int(count), total) for count in counts]
    holds = np.array([end.low <= share <= end.high for end in ends])
    assert stats.binom.pmf(counts[holds], total, share).sum() >= 0.95


def test_holm_rejects_what_its_steps_reject():
  """Against the procedure as it was published, which has no adjusted p-values."""
  rng = np.random.default_rng(2)
  for _ in range(50):
    p_values = rng.random(8) ** 4
    rejected = set()
    for step, index in enumerate(np.argsort(p_values)):
      if p_values[index] > 0.05 / (len(p_values) - step):
        break
      rejected.add(int(index))
    assert set(np.flatnonzero(metrics.holm(p_values) <= 0.05)) == rejected
  assert metrics.holm([]).shape == (0,)
  assert metrics.holm([0.6, 0.7]).tolist() == [1, 1]


def _rows(names, right):
  count = len(names)
  shared = {"cell": "c", "model": "m", "data": "d", "perturbation": "clean"}
  none = [0] * count
  columns = {"example": names, "label": none, "clean_prediction": none}
  columns |= {"prediction": [0 if hit else 1 for hit in right], "forwards": none}
  return records.table(shared, columns | {"backwards": none})


def test_only_examples_of_both_count_whatever_their_order():
  one = _rows(["a", "b", "c", "d"], [True, True, False, True])
  two = _rows(["d", "x", "b", "c"], [False, True, True, True])
  found = metrics.compare_cells(one, two)
  assert (found.examples, found.only_first, found.only_second) == (3, 1, 1)
  with pytest.raises(errors.InputError, match="share no example"):
    metrics.compare_cells(one, _rows(["y"], [True]))


def test_rows_of_a_cell_are_found_wherever_they_stand():
  tables = [_rows(["a"], [True]), _rows(["b"], [True])]
  other = tables[0].set_column(
    0, records.SCHEMA.field("cell"), pa.array(["other"]).dictionary_encode()
  )
  rows = pa.concat_tables([tables[0], other, tables[1]]).unify_dictionaries()
  found = records.by_cell(rows)
  assert {name: own["example"].to_pylist() for name, own in found.items()} == {
    "c": ["a", "b"],
    "other": ["a"],
  }
  assert records.is_value(rows["cell"], "other").to_pylist() == [False, True, False]
  assert records.is_value(rows["prompts"], None).to_pylist() == [True] * 3


def test_what_is_alike_within_a_cluster_counts_once():
  """Each example five times over: as if it were there once."""
  rng = np.random.default_rng(3)
  one, two = rng.random((2, 80)) < np.array([[0.7], [0.5]])
  alone = metrics.mcnemar(one, two)
  found = metrics.clustered(np.repeat(one, 5), np.repeat(two, 5), np.repeat(np.arange(80), 5))
  assert found.difference == pytest.approx(alone.difference)
  assert (found.only_first, found.only_second) == (5 * alone.only_first, 5 * alone.only_second)
  assert found.p_value == pytest.approx(alone.p_value, abs=0.01)
  assert (found.low, found.high) == pytest.approx((alone.low, alone.high), abs=0.03)
  naive = metrics.mcnemar(np.repeat(one, 5), np.repeat(two, 5))
  assert naive.p_value < found.p_value


def test_clusters_without_a_difference_have_none():
  same = np.array([True, False, True, True])
  found = metrics.clustered(same, same, np.array([0, 0, 1, 1]))
  assert (found.difference, found.p_value, found.low, found.high) == (0, 1, 0, 0)


def test_captions_are_compared_by_their_images():
  def rows(hits):
    none = np.zeros(len(hits), np.int32)
    columns = {"label": np.repeat(np.arange(20), 2), "prediction": np.repeat(np.arange(20), 2)}
    columns["prediction"] = np.where(hits, columns["label"], 99)
    columns |= {"example": [f"{row}" for row in range(len(hits))], "forwards": none}
    columns |= {"direction": ["text_to_image"] * len(hits), "clean_prediction": none}
    shared = {"cell": "c", "model": "m", "data": "captions of d", "perturbation": "clean"}
    return records.table(shared, columns | {"backwards": none})

  one, two = np.arange(40) < 30, np.arange(40) < 20
  found = metrics.compare_cells(rows(one), rows(two))
  assert found == metrics.clustered(one, two, np.repeat(np.arange(20), 2))
