"""Calibration bins, worst classes, convergence and smallest epsilons, against loops."""

import collections

import numpy as np
import pytest

from jaxbench import metrics, records


def test_bins_of_confidence_are_counted_as_a_person_would():
  rng = np.random.default_rng(0)
  claimed = np.append(rng.random(200), [0, 1, 1 / 15])
  right = rng.random(len(claimed)) < claimed
  found = metrics.reliability(claimed, right)
  bins = collections.defaultdict(list)
  for one, hit in zip(claimed, right, strict=True):
    bins[min(int(one * 15), 14)].append((one, hit))
  assert found.examples.sum() == len(claimed)
  for number, members in bins.items():
    mean = np.mean(np.array(members, float), axis=0)
    assert found.examples[number] == len(members)
    np.testing.assert_allclose((found.confidence[number], found.accuracy[number]), mean)


def test_the_worst_class_comes_first_with_what_it_is_taken_for():
  label = [0, 0, 0, 1, 1, 2, 2, 2, 2]
  prediction = [0, 1, 1, 1, 1, 0, 2, 1, 0]
  found = metrics.worst_classes(label, prediction, np.equal(label, prediction), count=2)
  assert [(one.label, one.examples, one.mistaken_for) for one in found] == [(2, 4, 0), (0, 3, 1)]
  assert found[0].accuracy == metrics.proportion(1, 4)
  with pytest.raises(ValueError, match="no examples"):
    metrics.worst_classes([], [], [])


def test_what_the_reference_never_gets_wrong_divides_nothing():
  correct = {(name, level): np.array([True, False]) for name in NAMES for level in range(1, 6)}
  correct["clean", 0] = np.array([True, True])
  errs = dict.fromkeys(correct, 0.5) | {("clean", 0): 0.1}
  whole = metrics.corruption_errors(correct, reference=errs).figures
  assert whole["mce"].value == 1
  errs |= {("fog", level): 0.0 for level in range(1, 6)}
  found = metrics.corruption_errors(correct, reference=errs).figures
  assert {"mce", "relative_mce", "fog"}.isdisjoint(found)
  assert found["snow"].value == 1


NAMES = [name for names in metrics.GROUPS.values() for name in names]


def _attack(cell, steps, success, **changes):
  count = len(steps)
  shared = {"cell": cell, "model": "m", "data": "d", "perturbation": cell, "epsilon": 0.1}
  none = [0] * count
  columns = dict.fromkeys(("label", "clean_prediction", "forwards", "backwards"), none)
  columns |= {"example": [f"{row:03d}" for row in range(count)], "steps": steps}
  columns |= {"prediction": [int(hit) for hit in success], "success": success}
  columns |= {"found_by": ["pgd" if hit else None for hit in success]}
  return records.table(shared, columns | changes)


@pytest.mark.parametrize(("last", "late"), [(20, 5), (15, 0)])
def test_an_attack_that_still_wins_at_its_end_has_not_converged(last, late):
  success = [True] * 50 + [False] * 50
  steps = [3] * 45 + [last] * 5 + [20] * 50
  found = metrics.unconverged(_attack("pgd", steps, success))
  assert found == ([{"cell": "pgd", "examples": 100, "steps": 20, "late": 5}] if late else [])
  needed = metrics.steps_needed(_attack("pgd", steps, success))
  assert needed[:50].tolist() == sorted(steps[:50])
  assert np.isinf(needed[50:]).all()


def test_every_step_of_a_transfer_is_made_and_nothing_follows_from_it():
  success = [True] * 50 + [False] * 50
  rows = _attack("transfer(mim, m)", [20] * 100, success, found_by=[None] * 100)
  assert metrics.unconverged(rows) == []


def test_the_strongest_attack_is_chosen_example_by_example():
  rng = np.random.default_rng(1)
  cells, smallest = [], collections.defaultdict(list)
  for number in range(3):
    distances = np.where(rng.random(9) < 0.3, np.inf, rng.random(9)).astype(np.float32)
    for row, distance in enumerate(distances[: 9 - number]):
      smallest[row].append(float(distance))
    own = _attack(f"a{number}", [1] * 9, np.isfinite(distances), distance=distances)
    cells.append(own.slice(0, 9 - number))
  expected = sorted(min(own) for own in smallest.values() if len(own) == 3)
  np.testing.assert_array_equal(metrics.smallest_of_all(cells), np.float32(expected))


def test_the_band_of_the_line_is_that_of_refitting_resampled_models():
  at = np.array([0.6, 0.7, 0.8])
  low, high = metrics.baseline_band("imagenet-sketch", at, resamples=400, seed=3)
  x, y = (np.log(share / (1 - share)) for share in metrics.standard_models("imagenet-sketch"))
  rng, lines = np.random.default_rng(4), []
  for _ in range(400):
    chosen = rng.integers(0, len(x), len(x))
    slope, intercept = np.polyfit(x[chosen], y[chosen], 1)
    lines.append(1 / (1 + np.exp(-(slope * np.log(at / (1 - at)) + intercept))))
  expected = np.quantile(lines, (0.025, 0.975), axis=0)
  np.testing.assert_allclose([low, high], expected, atol=0.006)
  line = metrics.baseline("imagenet-sketch", 0.7).expected(at)
  assert ((low < line) & (line < high)).all()
