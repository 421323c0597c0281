"""Statistics of overlap against sums over the binomial distribution, and loops."""

import math

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from jaxbench import errors, metrics, records


@pytest.fixture(scope="module")
def drawn():
  """200 examples of four classes: overlapping or not, right or not."""
  draw = np.random.default_rng(0)
  label = draw.integers(0, 4, 200)
  similarity = np.round(draw.random(200), 2).astype(np.float32)
  correct = draw.random(200) < 0.5 + 0.3 * similarity
  return similarity, correct, label


def test_the_difference_its_interval_and_its_test_are_those_of_clips_paper(drawn):
  similarity, correct, label = drawn
  dirty = similarity >= 0.8
  found = metrics.overlap(dirty, correct, label)
  count, hits = int(dirty.sum()), int((correct & dirty).sum())
  clean = (correct & ~dirty).sum() / (~dirty).sum()
  assert found.share.value == count / 200
  assert found.accuracy == correct.mean()
  assert found.clean == pytest.approx(clean)
  tail = [
    math.comb(count, k) * clean**k * (1 - clean) ** (count - k) for k in range(hits, count + 1)
  ]
  assert found.p_value == pytest.approx(sum(tail))
  low = stats.beta.ppf(0.0025, hits, count - hits + 1)
  high = stats.beta.ppf(0.9975, hits + 1, count - hits)
  assert found.overlap == pytest.approx((hits / count, low, high))
  # Accuracy of all if the overlap's were at either end, and the clean as it is.
  ends = [(end * count + clean * (200 - count)) / 200 - clean for end in (hits / count, low, high)]
  assert found.difference == pytest.approx(tuple(ends))


def test_the_gap_is_that_of_resampling_both_parts(drawn):
  similarity, correct, label = drawn
  dirty = similarity >= 0.7
  found = metrics.overlap(dirty, correct, label)
  result = stats.bootstrap(
    (correct[dirty].astype(float), correct[~dirty].astype(float)),
    lambda x, y, axis: x.mean(axis=axis) - y.mean(axis=axis),
    method="percentile",
    n_resamples=5000,
    rng=np.random.default_rng(1),
  ).confidence_interval
  assert found.gap.value == pytest.approx(correct[dirty].mean() - correct[~dirty].mean())
  assert found.gap[1:] == pytest.approx((result.low, result.high), abs=0.012)


def test_class_matched_accuracy_has_the_classes_of_the_overlap(drawn):
  _, correct, label = drawn
  dirty = (label < 2) & (np.arange(200) % 2 == 0) | (label == 3)  # No clean example of class 3.
  found = metrics.overlap(dirty, correct, label)
  total = weight = 0.0
  for name in range(3):
    wanted = (dirty & (label == name)).sum()
    total += wanted * correct[~dirty & (label == name)].mean()
    weight += wanted
  assert found.matched == pytest.approx(total / weight)
  assert found.covered == pytest.approx(weight / dirty.sum())
  only = metrics.overlap(label == 3, correct, label)
  assert (only.matched, only.covered) == (None, 0)


def test_without_overlap_or_without_clean_examples_the_rest_is_absent(drawn):
  _, correct, label = drawn
  nothing = metrics.overlap(np.zeros(200, bool), correct, label)
  assert nothing.clean == nothing.accuracy
  assert nothing.difference == (0, 0, 0)
  assert nothing.overlap is nothing.p_value is nothing.gap is nothing.matched is None
  everything = metrics.overlap(np.ones(200, bool), correct, label)
  assert everything.clean is everything.difference is everything.p_value is None
  assert everything.overlap.value == correct.mean()
  with pytest.raises(errors.InputError, match="no examples"):
    metrics.overlap([], [], [])


def test_the_curve_is_that_of_every_threshold_by_itself(drawn):
  similarity, correct, label = drawn
  thresholds = [0.0, 0.255, 0.5, float(similarity[3]), 1.5]
  curve = metrics.overlap_curve(similarity, correct, thresholds)
  for row, threshold in enumerate(thresholds):
    one = metrics.overlap(similarity >= threshold, correct, label)
    assert curve.share[row] == pytest.approx(one.share.value)
    if one.difference is None:
      assert np.isnan(curve.difference[row])
    else:
      assert curve.difference[row] == pytest.approx(one.difference.value)


def _rows(data, correct, similarity, model="m", **columns):
  """Rows of one cell, the examples' similarities."""
  names = [f"{data} {row}" for row in range(len(correct))]
  shared = {"cell": f"{model} {data}", "model": model, "data": data, "perturbation": "clean"}
  prediction = np.where(correct, 1, 0)
  table = records.table(
    shared,
    {
      "example": names,
      "label": np.ones(len(names), np.int32),
      "clean_prediction": prediction,
      "prediction": prediction,
      "forwards": np.ones(len(names), np.int32),
      "backwards": np.zeros(len(names), np.int32),
      **columns,
    },
  )
  return table, {(data, name): float(s) for name, s in zip(names, similarity, strict=True)}


def _world(*parts):
  similarities = {}
  for _, own in parts:
    similarities |= own
  return pa.concat_tables([rows for rows, _ in parts]).unify_dictionaries(), similarities


def test_p_values_are_corrected_for_the_number_of_data_sets():
  draw = np.random.default_rng(2)
  correct, similarity = draw.random((3, 80)) < 0.7, draw.random((3, 80))
  similarity[2] = 0  # No overlap, so no test.
  rows, similarities = _world(
    *(_rows(f"set {n}", correct[n], similarity[n]) for n in range(3)),
    _rows("set 0", correct[1], similarity[0], model="other"),
  )
  lines = metrics.summarize_overlap(rows, similarities, {f"set {n}": 0.5 for n in range(3)})
  found = {(line["model"], line["data"]): line for line in lines}
  assert len(found) == 4
  for (model, data), tests in {("m", "set 0"): 2, ("m", "set 1"): 2, ("other", "set 0"): 1}.items():
    line = found[model, data]
    assert line["adjusted"] == pytest.approx(min(1, tests * line["p_value"]))
  assert found["m", "set 2"]["adjusted"] is None
  (only,) = metrics.summarize_overlap(rows.slice(0, 80), similarities, {"set 0": 0.5})
  assert only["share"].value == (similarity[0] >= 0.5).mean()


def test_an_example_that_was_not_searched_is_told():
  rows, similarities = _world(_rows("set", np.ones(5, bool), np.zeros(5)))
  del similarities["set", "set 3"]
  with pytest.raises(errors.InputError, match="1 of 5 examples of set were not searched, 'set 3'"):
    metrics.summarize_overlap(rows, similarities, {"set": 0.5})


def test_robustness_on_clean_subsets_is_that_of_the_clean_rows_alone():
  draw = np.random.default_rng(3)
  parts, kept = [], {}
  for name, accuracy in (("imagenet", 0.7), ("imagenet-sketch", 0.6)):
    similarity = draw.random(400)
    correct = draw.random(400) < accuracy + 0.2 * (similarity > 0.8)
    parts.append(_rows(name, correct, similarity))
    kept[name] = correct[similarity < 0.8].mean()
  rows, similarities = _world(*parts)
  thresholds = {"imagenet": 0.8, "imagenet-sketch": 0.8}
  (line,) = metrics.summarize_clean_shifts(rows, similarities, thresholds)
  assert line["clean_standard"] == pytest.approx(kept["imagenet"])
  assert line["clean_accuracy"] == pytest.approx(kept["imagenet-sketch"])
  expected = metrics.effective_robustness("imagenet-sketch", *kept.values())
  assert line["clean_effective_robustness"] == pytest.approx(expected)
  assert line["effective_robustness"] != pytest.approx(expected)
  assert metrics.summarize_clean_shifts(rows, similarities, {"imagenet": 0.8}) == []


def test_frames_of_a_video_go_with_their_anchor():
  """Of three anchors with a neighbour each, the last one overlaps; only its frames leave."""
  anchors = ["imagenet-vid-robust 0", "imagenet-vid-robust 2", "imagenet-vid-robust 4"]
  correct = np.array([True, True, True, False, True, True])
  rows, similarities = _world(
    _rows(
      "imagenet-vid-robust",
      correct,
      [0.1, 0.9, 0.2, 0.2, 0.9, 0.1],
      anchor=np.repeat(anchors, 2).tolist(),
      offset=np.array([0, 1] * 3, np.int32),
    )
  )
  limit = {"imagenet-vid-robust": 0.8}
  (line,) = metrics.summarize_clean_shifts(rows, similarities, limit)
  assert line["shift"] == "imagenet-vid-robust pm-10"
  assert line["accuracy"] == pytest.approx(2 / 3)
  assert (line["clean_standard"], line["clean_accuracy"]) == (1, 0.5)
  (summed,) = metrics.summarize_overlap(rows, similarities, limit)
  assert summed["share"].value == pytest.approx(1 / 3)
