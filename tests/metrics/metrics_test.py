"""Against closed forms and brute force, not against ourselves."""

import math

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from jaxbench import errors, metrics, records


def _rows(cell, labels, clean, predictions, success=None, epsilon=None):
  count = len(labels)
  perturbation = "clean" if success is None else "p"
  shared = {"cell": cell, "model": cell, "data": "d", "perturbation": perturbation}
  shared |= {"epsilon": epsilon}
  columns = {
    "example": [f"{i}" for i in range(count)],
    "label": labels,
    "clean_prediction": clean,
    "prediction": predictions,
    "forwards": [2] * count,
    "backwards": [1] * count,
  }
  return records.table(shared, columns | ({} if success is None else {"success": success}))


@pytest.mark.parametrize(("count", "total"), [(0, 7), (7, 7), (3, 10), (345, 360)])
def test_interval_is_clopper_and_pearsons(count, total):
  """Its ends are quantiles of beta distributions."""
  share = metrics.proportion(count, total)
  low = stats.beta.ppf(0.025, count, total - count + 1) if count else 0.0
  high = stats.beta.ppf(0.975, count + 1, total - count) if count < total else 1.0
  np.testing.assert_allclose(share, (count / total, low, high), rtol=1e-6)


def test_no_examples_are_no_number():
  with pytest.raises(ValueError, match="no examples"):
    metrics.proportion(0, 0)


def test_summary_counts_what_a_person_would_count():
  plain = _rows("a", [0, 1, 2, 3], [0, 1, 2, 0], [0, 1, 0, 3])
  success = [True, False, False, True]  # The last was wrong before; the third left the ball.
  attacked = _rows("b", [0, 1, 2, 3], [0, 1, 2, 0], [1, 1, 0, 0], success, 0.1)
  one, two = metrics.summarize(pa.concat_tables([plain, attacked]).unify_dictionaries()).to_pylist()
  assert (one["cell"], one["examples"], one["correct"], one["accuracy"]) == ("a", 4, 3, 0.75)
  assert one["attack_success"] is None
  assert (two["correct"], two["clean_correct"]) == (2, 3)
  assert two["attack_success"] == pytest.approx(1 / 3)
  assert two["attack_success_low"] == pytest.approx(metrics.proportion(1, 3).low)
  assert (two["forwards"], two["backwards"], two["epsilon"]) == (8, 4, 0.1)


def _searched(cell, distances):
  count = len(distances)
  shared = {"cell": cell, "model": "m", "data": "d", "perturbation": "smallest(p)"}
  shared |= {"epsilon": 1.0}
  columns = {name: [0] * count for name in ("label", "clean_prediction", "prediction")}
  columns |= {"example": [str(i) for i in range(count)], "forwards": [1] * count}
  columns |= {"backwards": [1] * count, "distance": distances, "success": np.isfinite(distances)}
  return records.table(shared | {"tolerance": 0.01}, columns)


def test_smallest_epsilons_are_counted_and_the_median_has_its_order_statistics():
  distances = np.array([0.5, 0, 0.25, np.inf, 1, 0.75, np.inf, 0, 0.125, np.inf], np.float32)
  plain = _rows("plain", [0], [0], [0])
  rows = pa.concat_tables([_searched("found", distances), plain]).unify_dictionaries()
  (found,) = metrics.summarize_smallest(rows).to_pylist()
  assert (found["cell"], found["examples"], found["withstand"]) == ("found", 10, 0.3)
  assert (found["quartile"], found["median"], found["third_quartile"]) == (0.125, 0.5, math.inf)
  # P(Binomial(10, 1/2) <= 1) is 0.011: the interval goes from the second to the ninth.
  assert (found["median_low"], found["median_high"]) == (0, math.inf)
  smallest = metrics.smallest_epsilons(rows, "found")
  np.testing.assert_array_equal(smallest, np.sort(distances))
  curve = metrics.robust_accuracy(smallest, (0, 0.125, 0.2, 1))
  np.testing.assert_allclose(curve, (0.8, 0.7, 0.7, 0.3))
  whole = {row["cell"]: row for row in metrics.summarize(rows).to_pylist()}
  assert whole["plain"]["median_epsilon"] is None
  assert whole["found"]["median_epsilon"] == 0.5
  assert metrics.overview(metrics.summarize(rows)).splitlines()[-1].split()[-1] == "0.5"


def test_what_fooled_at_the_bound_is_below_it_whatever_its_distance_was_rounded_to():
  """By the success flag: the curve, the share that withstands and the strongest of several."""
  over = np.nextafter(np.float32(1), np.float32(2))
  rows = _searched("found", np.array([over, over, 0.5, np.inf], np.float32))
  smallest = metrics.smallest_epsilons(rows, "found")
  assert metrics.robust_accuracy(smallest, [1.0]) == 0.25
  np.testing.assert_array_equal(metrics.smallest_of_all([rows, rows]), smallest)
  (found,) = metrics.summarize_smallest(rows).to_pylist()
  assert (found["withstand"], found["third_quartile"]) == (0.25, 1.0)


def test_logits_that_are_no_numbers_are_counted_apart_from_what_is_wrong():
  broken = _rows("broken", [0, 1, 2, 3], [0, -1, 2, 3], [0, -1, -1, 1])
  whole = _rows("whole", [0, 1], [0, 1], [0, 0])
  rows = pa.concat_tables([broken, whole]).unify_dictionaries()
  one, two = metrics.summarize(rows).to_pylist()
  assert (one["correct"], one["not_finite"], one["accuracy"]) == (1, 2, 0.25)
  assert (two["correct"], two["not_finite"]) == (1, 0)
  assert metrics.not_finite(rows) == [{"cell": "broken", "examples": 4, "broken": 2}]
  assert metrics.refuted(rows) == []


def test_examples_with_refuted_claims_are_counted():
  rows = _searched("found", np.array([0.5, np.inf, 0.25], np.float32))
  place = rows.schema.get_field_index("refuted")
  rows = rows.set_column(place, rows.schema.field(place), pa.array([0, 3, 1], pa.int32()))
  assert metrics.refuted(rows) == [{"cell": "found", "examples": 3, "refuted": 2}]


def test_predictions_of_nothing_flip_from_frame_to_frame_and_from_the_first():
  noise = metrics.flip_probability(["a"] * 3, [0, 1, 2], [-1, -1, -1], noise=True)
  assert noise == metrics.flip_probability(["a"] * 3, [0, 1, 2], [-1, -1, -1], noise=False) == 1


def test_so_few_examples_have_no_interval_of_the_median():
  (found,) = metrics.summarize_smallest(_searched("few", [0.0, 0.5])).to_pylist()
  assert found["median_low"] is None
  assert found["median_high"] is None


def test_an_attack_on_a_model_that_is_never_right_has_no_success_rate():
  rows = _rows("b", [0, 0], [1, 1], [1, 1], [True, True], 0.1)
  (summary,) = metrics.summarize(rows).to_pylist()
  assert summary["accuracy"] == 0
  assert summary["attack_success"] is None


def test_comparison_is_the_exact_mcnemar_test():
  rng = np.random.default_rng(0)
  labels = np.zeros(60, np.int32)
  first, second = rng.integers(0, 2, (2, 60)).astype(np.int32)
  rows = pa.concat_tables(
    [_rows("a", labels, labels, first), _rows("b", labels, labels, second)]
  ).unify_dictionaries()
  result = metrics.compare(rows, "a", "b")
  only_first = int(((first == 0) & (second != 0)).sum())
  only_second = int(((first != 0) & (second == 0)).sum())
  discordant = only_first + only_second
  tail = sum(math.comb(discordant, k) for k in range(min(only_first, only_second) + 1))
  assert (result.only_first, result.only_second) == (only_first, only_second)
  assert result.p_value == pytest.approx(min(1, 2 * tail / 2**discordant))
  assert result.difference == pytest.approx((only_first - only_second) / 60)
  assert metrics.compare(rows, "a", "a").p_value == 1


def test_comparing_with_nothing_is_an_error():
  rows = _rows("a", [0], [0], [0])
  with pytest.raises(errors.InputError, match="no rows of cell 'b'"):
    metrics.compare(rows, "a", "b")


def test_overview_averages_severities_and_takes_the_middle_epsilon():
  tables = [_rows("m", [0, 0], [0, 0], [0, 0])]
  for epsilon, fooled in ((1 / 255, 0), (2 / 255, 1), (4 / 255, 2)):
    success = [i < fooled for i in range(2)]
    tables.append(_rows("m", [0, 0], [0, 0], [0, 0], success, epsilon))
  text = metrics.overview(metrics.summarize(pa.concat_tables(tables).unify_dictionaries()))
  assert "p 2/255" in text
  assert text.split()[-1] == "50.0"


def _named(perturbation, predictions):
  labels = [0] * len(predictions)
  rows = _rows(perturbation, labels, labels, predictions)
  for name, value in {"perturbation": perturbation, "model": "m"}.items():
    place = rows.column_names.index(name)
    column = pa.array([value] * len(labels)).dictionary_encode()
    rows = rows.set_column(place, rows.schema.field(name), column)
  return rows


def test_a_table_has_one_unit_and_is_as_wide_as_asked():
  names = [f"corruption_{number}" for number in range(9)]
  tables = [_named(name, [0, number % 2]) for number, name in enumerate(names)]
  searched = _searched("found", np.array([2 / 255, 2 / 255, np.inf], np.float32))
  bound = pa.array([16 / 255] * 3)
  place = searched.column_names.index("epsilon")
  tables.append(searched.set_column(place, "epsilon", bound))
  summary = metrics.summarize(pa.concat_tables(tables).unify_dictionaries())
  whole, narrow = metrics.overview(summary), metrics.overview(summary, width=60)
  assert max(map(len, whole.splitlines())) > 60 >= max(map(len, narrow.splitlines()))
  assert set(whole.split()) == set(narrow.split())
  titles = [table.splitlines()[0] for table in narrow.split("\n\n")]
  assert titles[-1] == "smallest epsilon that fools, median"
  assert whole.split()[-1] == "2.00/255"
  assert len(set(titles)) == 2


@pytest.mark.parametrize(("alone", "flagged"), [(0, False), (2, False), (3, True)])
def test_square_winning_more_than_two_in_a_thousand_alone_is_flagged(alone, flagged):
  count = 1000
  names = ["square"] * alone + ["apgd-ce"] * 100 + [None] * (count - 100 - alone)
  shared = {"cell": "c", "model": "m", "data": "d", "perturbation": "autoattack", "epsilon": 0.1}
  zeros = [0] * count
  columns = {
    "example": [f"{i}" for i in range(count)],
    "label": zeros,
    "clean_prediction": zeros,
    "prediction": zeros,
    "forwards": zeros,
    "backwards": zeros,
    "found_by": names,
  }
  found = metrics.gradient_masking(records.table(shared, columns))
  assert found == ([{"cell": "c", "examples": 1000, "alone": 3}] if flagged else [])
