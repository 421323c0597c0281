"""Recalls of rows that are written by hand, and what others have published."""

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from jaxbench import metrics, records
from jaxbench.metrics import published
from jaxbench.report import classifiers, lost, retrieved


def _rows(direction, labels, rank, tied, name="set"):
  name = name if direction == "image_to_text" else f"captions of {name}"
  shared = {"cell": f"{name}#1", "model": "m", "data": name, "prompts": "raw captions"}
  none = np.zeros(len(labels), np.int32)
  columns = {
    "example": [str(row) for row in range(len(labels))],
    "direction": [direction] * len(labels),
    "label": labels,
    "clean_prediction": none,
    "prediction": none,
    "rank": rank,
    "tied": tied,
    "forwards": none,
    "backwards": none,
  }
  return records.table(shared | {"perturbation": "clean"}, columns)


def test_images_have_exact_intervals_and_ties_are_told_apart():
  rank, tied = np.array([0, 0, 4, 9, 10]), np.array([0, 1, 1, 0, 0])
  (found,) = metrics.recalls(_rows("image_to_text", range(5), rank, tied)).to_pylist()
  assert [found[f"recall_{k}"] for k in (1, 5, 10)] == [0.4, 0.6, 0.8]
  assert [found[f"recall_{k}_tied"] for k in (1, 5, 10)] == [0.2, 0.4, 0.8]
  exact = stats.binomtest(3, 5).proportion_ci(0.95, "exact")
  assert (found["recall_5_low"], found["recall_5_high"]) == pytest.approx(exact)
  assert (found["data"], found["queries"]) == ("set", 5)


def test_captions_of_an_image_stay_together():
  """All five captions of an image are alike: as if there were a fifth of them."""
  draw = np.random.default_rng(0)
  right = draw.random(200) < 0.5
  labels = np.repeat(np.arange(200), 5)
  rank = np.where(right[labels], 0, 20)
  (found,) = metrics.recalls(_rows("text_to_image", labels, rank, 0 * rank)).to_pylist()
  assert (found["data"], found["queries"]) == ("set", 1000)
  assert found["recall_1"] == right.mean()
  width = found["recall_1_high"] - found["recall_1_low"]
  assert width == pytest.approx(
    2 * 1.96 * np.sqrt(right.mean() * (1 - right.mean()) / 200), rel=0.1
  )


def test_a_recall_is_a_share_of_captions_however_many_an_image_has():
  labels, rank = np.array([0, 0, 0, 1]), np.array([0, 0, 1, 5])
  (found,) = metrics.recalls(_rows("text_to_image", labels, rank, 0 * rank)).to_pylist()
  assert found["recall_1"] == 0.5
  assert found["recall_1_low"] <= 0.5 <= found["recall_1_high"]


def test_rows_without_ranks_have_no_recall():
  rows = _rows("image_to_text", [0], np.array([0]), np.array([0]))
  place = rows.schema.get_field_index("rank")
  without = rows.set_column(place, "rank", pa.nulls(1, pa.int32()))
  assert metrics.recalls(without).num_rows == 0


def test_ties_that_matter_are_doubted():
  rank = np.zeros(100, int)
  sound, doubtful = (
    list(retrieved.hanging_on_order(_rows("image_to_text", range(100), rank, tied)))
    for tied in (0 * rank, np.arange(100) < 3)
  )
  assert not sound
  assert "3.0 points of recall" in doubtful[0]["detail"]


@pytest.mark.parametrize("model", ["openai/clip-vit-base-patch32", "open_clip:ViT-B-32/openai"])
def test_open_clips_recalls_are_known_by_our_names(model):
  found = published.recall(model, "mscoco_captions", "text_to_image")
  assert {k: reference.value for k, reference in found.items()} == pytest.approx(
    {1: 0.3044, 5: 0.5594, 10: 0.6687}
  )
  assert found[5].protocol.data == "captions of mscoco_captions"
  # No caption was cut: the shares are whole numbers of so many.
  assert pytest.approx(round(0.5594 * 25_010), abs=1.5) == 0.5594 * 25_010
  assert not published.recall(model, "flickr8k", "text_to_image")


MODEL = "openai/clip-vit-base-patch32"


def _shown(queries, prompts):
  """The section of a run of OpenAI's ViT-B/32 on so many of Flickr30k's images, all found."""
  pixels = {"size": 224, "resize": None, "interpolation": "bicubic", "squash": False}
  cell = {"id": "c", "data": "flickr30k", "model": MODEL, "prompts": prompts, "kind": "clean"}
  cell |= {"native": None, "preprocess": pixels}
  run = {
    "cells": [cell],
    "data": {"flickr30k": {"subset": ""}},
    "identity": {
      "config": {"subset": "", "attacks": {}},
      "models": {MODEL: {"config": {"preprocess": pixels}}},
    },
  }
  rank = np.where(np.arange(queries) < 0.789 * queries, 0, 3)
  none = np.zeros(queries, np.int32)
  columns = {"example": [str(row) for row in range(queries)], "label": range(queries), "rank": rank}
  columns |= dict.fromkeys(
    ("clean_prediction", "prediction", "tied", "forwards", "backwards"), none
  )
  columns["direction"] = ["image_to_text"] * queries
  names = {"cell": "c", "model": MODEL, "data": "flickr30k", "prompts": prompts}
  rows = records.table(names | {"perturbation": "clean"}, columns)
  classifier = classifiers.Classifier(MODEL, prompts, False, "#000", "-")
  (found,) = retrieved.retrieved(rows, [classifier], run)
  return found


def test_a_published_recall_is_marked_where_it_was_measured_alike():
  found = _shown(1_000, "raw captions")
  assert found.columns == [("image to text", k) for k in (1, 5, 10)]
  (line,) = found.lines
  marks = [beside.mark(share.low, share.high) for share, beside in line.cells]
  assert marks == ["≈", "≠", "≠"]
  assert not found.unlike


def test_what_differs_from_a_published_recall_is_told():
  (told,) = _shown(50, "albef captions").unlike
  assert told == (
    "captions: albef captions instead of raw captions; examples: 50 instead of all 1,000"
  )


def test_what_an_attack_loses_is_told_by_three_definitions():
  """Of ten found first six are lost, and of ten others two are found."""
  ranks = np.repeat([0, 7], 10), np.array([3] * 6 + [0] * 4 + [0] * 2 + [9] * 8)
  names = {"model": MODEL, "data": "set", "prompts": "raw captions"}
  cells = [
    names | {"id": "set#1", "kind": "clean", "knowledge": None},
    names | {"id": "set#2", "kind": "transfer", "knowledge": "another model"},
  ]
  clean, attacked = (_rows("image_to_text", range(20), rank, np.zeros(20)) for rank in ranks)
  moved = pa.array(["set#2"] * 20).dictionary_encode()
  attacked = attacked.set_column(0, attacked.schema.field("cell"), moved)
  rows = pa.concat_tables([clean, attacked])
  losses = lost.Losses(rows, {"cells": cells})
  lines = {line["cell"]: line for line in metrics.recalls(rows).to_pylist()}
  assert losses.of(lines["set#1"], 1) is losses.of(None, 1) is None
  assert losses.of(lines["set#2"], 1) == pytest.approx((0.6, 0.2, 0.4))
  assert losses.of(lines["set#2"], 10) == (0, 0, 0)


def test_five_folds_count_alike_and_four_not_at_all():
  """However many captions a fold has; intervals are of means of independent shares."""
  draw, names = np.random.default_rng(1), [f"coco-1k/{fold}" for fold in range(1, 6)]
  sizes = (40, 60, 50, 55, 45)
  each = [
    _rows("image_to_text", np.arange(size), draw.integers(0, 12, size), np.zeros(size), name)
    for name, size in zip(names, sizes, strict=True)
  ]
  shares = [np.mean(rows["rank"].to_numpy() < 5) for rows in each]
  (found,) = metrics.recalls_over_folds(pa.concat_tables(each)).to_pylist()
  assert (found["data"], found["queries"]) == ("coco-1k, mean of 5 folds", 250)
  assert found["recall_5"] == pytest.approx(np.mean(shares))
  deviation = np.sqrt(sum(p * (1 - p) / n for p, n in zip(shares, sizes, strict=True))) / 5
  width = found["recall_5_high"] - found["recall_5_low"]
  assert width == pytest.approx(2 * 1.96 * deviation, rel=0.1)
  assert not len(metrics.recalls_over_folds(pa.concat_tables(each[1:])))
  own = [f"/d/coco.json(fold={fold}, images='/d')" for fold in range(1, 6)]
  renamed = [
    _rows("text_to_image", [0, 1], np.array([0, fold]), np.zeros(2), name)
    for fold, name in enumerate(own)
  ]
  (found,) = metrics.recalls_over_folds(pa.concat_tables(renamed)).to_pylist()
  assert found["data"] == "/d/coco.json(fold=1 to 5, images='/d'), mean of 5 folds"
  assert found["recall_1"] == pytest.approx(0.6)
