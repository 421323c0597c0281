"""Metrics of natural shifts, against scikit-learn, loops, and figures computed elsewhere."""

import csv

import numpy as np
import pyarrow as pa
import pytest
from scipy import special
from sklearn import metrics as sklearn_metrics

from jaxbench import errors, metrics, tables


def test_mean_per_class_is_balanced_accuracy():
  rng = np.random.default_rng(0)
  labels = rng.choice([0, 1, 2, 5], size=200, p=[0.6, 0.3, 0.08, 0.02])
  predictions = np.where(rng.random(200) < 0.5, labels, rng.choice([0, 1, 2, 5], size=200))
  expected = sklearn_metrics.balanced_accuracy_score(labels, predictions)
  found = metrics.mean_per_class_accuracy(labels, labels == predictions)
  assert found == pytest.approx(expected)
  assert found != pytest.approx(np.mean(labels == predictions), abs=1e-3)


def _sets(rng, count=40):
  """Anchor ids, offsets and verdicts of sets with 0 to 20 neighbours, shuffled."""
  frames = []
  for number in range(count):
    offsets = [0, *rng.permutation([*range(-10, 0), *range(1, 11)])[: rng.integers(0, 21)]]
    frames += [(f"video{number}", offset, rng.random() < 0.9) for offset in offsets]
  return [frames[row] for row in rng.permutation(len(frames))]


@pytest.mark.parametrize("k", [0, 1, 3, 10])
def test_pm_k_asks_the_anchor_and_every_neighbour(k):
  frames = _sets(np.random.default_rng(1))
  found = metrics.pm_k(*map(np.array, zip(*frames, strict=True)), k=k)
  sets = {}
  for name, offset, correct in frames:
    sets.setdefault(name, {})[offset] = correct
  benign = sum(verdicts[0] for verdicts in sets.values())
  worst = sum(all(v for o, v in verdicts.items() if abs(o) <= k) for verdicts in sets.values())
  assert found == (40, metrics.proportion(benign, 40), metrics.proportion(worst, 40))
  assert k == 0 or worst < benign


@pytest.mark.parametrize("offsets", [[1, -1], [0, 0]])
def test_an_anchor_has_one_frame_of_its_own(offsets):
  with pytest.raises(errors.InputError, match="anchor a has"):
    metrics.pm_k(["a", "a"], offsets, [True, True])
  with pytest.raises(errors.InputError, match="no frames"):
    metrics.pm_k([], [], [])


@pytest.mark.parametrize("noise", [False, True])
def test_flips_are_counted_sequence_by_sequence(noise):
  rng = np.random.default_rng(0)
  rows, shares = [], []
  for name, length in zip("abcd", (2, 5, 31, 41), strict=True):
    predictions = rng.integers(0, 3, length).tolist()
    rows += [(name, place, found) for place, found in enumerate(predictions)]
    before = [predictions[0]] * length if noise else [None, *predictions]
    flips = [predictions[place] != before[place] for place in range(1, length)]
    shares.append(sum(flips) / (length - 1))
  shuffled = [rows[row] for row in rng.permutation(len(rows))]
  found = metrics.flip_probability(*map(np.array, zip(*shuffled, strict=True)), noise=noise)
  assert found == pytest.approx(np.mean(shares))
  for broken in (rows[:1], rows[:3], [rows[2], rows[4]], []):
    columns = zip(*broken, strict=True) if broken else ([], [], [])
    with pytest.raises(errors.InputError, match="whole sequences"):
      metrics.flip_probability(*columns, noise=noise)


# Slope, intercept, number of models and r squared of a fit made with other code.
PUBLISHED = {
  ("imagenetv2-matched-frequency", 0.8): (0.9232, -0.4977, 85, 0.996),
  ("imagenet-sketch", 0.8): (1.0709, -2.3701, 85, 0.869),
  ("imagenet-r", 0.8): (0.6368, -2.1077, 80, 0.889),
  ("imagenet-a", 0.95): (2.9560, -10.2774, 51, 0.905),
  ("imagenet-a", 0.9): (0.6894, -5.1400, 33, 0.410),
  ("objectnet", 0.8): (0.9809, -1.9283, 85, 0.953),
  ("imagenet-vid-robust", 0.8): (0.5336, -1.4617, 85, 0.949),
  ("imagenet-vid-robust pm-10", 0.8): (1.0957, -0.8004, 81, 0.953),
  ("ytbb-robust", 0.8): (0.3388, -1.1119, 84, 0.830),
  ("ytbb-robust pm-10", 0.8): (1.2784, -0.6938, 68, 0.772),
  ("stylized-imagenet", 0.8): (1.3726, -2.8431, 85, 0.781),
}


@pytest.mark.parametrize(("shift", "standard"), PUBLISHED)
def test_lines_are_those_of_the_published_models(shift, standard):
  line = metrics.baseline(shift, standard)
  slope, intercept, models, r_squared = PUBLISHED[shift, standard]
  assert line.models == models
  np.testing.assert_allclose((line.slope, line.intercept), (slope, intercept), atol=3e-4)
  assert line.r_squared == pytest.approx(r_squared, abs=6e-4)
  assert {name for name, _ in PUBLISHED} == set(metrics.SHIFTS) - {"digits-printed"}


# Points beyond the line, of CLIP ViT-B/32 and CLIP RN50, computed with other code.
BEYOND = {
  "imagenetv2-matched-frequency": (5.6, 5.8),
  "imagenet-sketch": (28.0, 22.9),
  "imagenet-r": (39.0, 32.9),
  "imagenet-a": (29.2, 20.9),
  "objectnet": (18.1, 17.8),
  "imagenet-vid-robust": (19.2, 14.9),
  "imagenet-vid-robust pm-10": (-4.7, -6.8),
  "ytbb-robust": (9.9, 7.1),
  "ytbb-robust pm-10": (-0.9, -1.6),
  "stylized-imagenet": (10.3, 3.6),
}


@pytest.mark.parametrize("shift", BEYOND)
def test_clip_is_as_far_from_the_line_as_elsewhere(shift):
  with tables.path("testbed_model_accuracies.csv").open() as file:
    rows = {row["model"]: row for row in csv.DictReader(file)}
  columns = metrics.SHIFTS[shift]
  for name, beyond in zip(
    ("vit_b_32_clip_zeroshot", "resnet50_clip_zeroshot"), BEYOND[shift], strict=True
  ):
    standard, shifted = (
      float(rows[name][column]) / 100 for column in (columns.standard, columns.shifted)
    )
    found = 100 * metrics.effective_robustness(shift, standard, shifted)
    assert found == pytest.approx(beyond, abs=0.06)


def test_a_line_through_ones_own_models_passes_through_points_on_it():
  standard = np.array([0.2, 0.5, 0.9, 1.0])
  logits = np.log(standard[:3] / (1 - standard[:3])) * 1.5 - 0.7
  line = metrics.fit(standard, [*(1 / (1 + np.exp(-logits))), 0.99])  # The last has no logit.
  np.testing.assert_allclose(line, (1.5, -0.7, 3, 1), atol=1e-9)
  np.testing.assert_allclose(line.expected(0.5), 1 / (1 + np.exp(0.7)))
  assert metrics.relative_robustness(0.5, 0.25) == 0.25


@pytest.mark.slow
def test_the_band_of_a_line_covers_it_as_often_as_it_says():
  """Over 2,000 draws of five models: 95 % within three standard errors, at each place."""
  rng = np.random.default_rng(0)
  x = special.logit([0.4, 0.5, 0.6, 0.8, 0.9])
  at = np.array([0.3, 0.6, 0.95])
  true = special.expit(1.2 * special.logit(at) - 0.5)
  noise = rng.normal(0, 0.3, (2000, 5))
  inside = []
  for each in noise:
    low, high = metrics.fit_band(special.expit(x), special.expit(1.2 * x - 0.5 + each), at)
    inside.append((low < true) & (true < high))
  np.testing.assert_allclose(np.mean(inside, axis=0), 0.95, atol=3 * (0.95 * 0.05 / 2000) ** 0.5)


def test_the_band_needs_three_models():
  with pytest.raises(errors.InputError, match="at least three models"):
    metrics.fit_band([0.5, 0.6, 0.6, 1], [0.3, 0.2, 0.1, 0.4], [0.5])


def test_no_line_through_one_model_and_no_unknown_shift():
  with pytest.raises(errors.InputError, match="at least two models"):
    metrics.fit([0.5, 0.5, 1], [0.3, 0.2, 0.1])
  with pytest.raises(errors.InputError, match="Did you mean 'imagenet-r'"):
    metrics.baseline("imagenet_r", 0.5)


def test_shape_bias_counts_decisions_on_conflicting_images():
  shape = [0, 0, 0, 1, 2, 2]
  texture = [1, 1, 1, 1, 0, 1]  # The fourth does not conflict.
  prediction = [0, 1, 2, 1, 2, 2]  # Shape, texture, neither, -, shape, shape.
  assert metrics.shape_bias(shape, texture, prediction) == metrics.proportion(3, 4)
  column = pa.chunked_array([[1, 1, 1, None, 0, 1]], pa.int32())  # As records have it.
  assert metrics.shape_bias(shape, column, prediction) == metrics.proportion(3, 4)
  with pytest.raises(errors.InputError, match="no prediction is for"):
    metrics.shape_bias([0, 1], [1, 1], [2, 1])
