"""Published accuracies on the sets of zero-shot papers, and when ours may stand beside them."""

import csv

import pytest

from jaxbench import data, tables
from jaxbench.data.zero_shot import table
from jaxbench.metrics import published

ROWS = list(csv.DictReader(tables.path("published_zero_shot_accuracies.csv").open()))


def test_every_number_is_of_a_set_of_the_catalogue_at_its_size():
  assert len(ROWS) == 824
  for row in ROWS:
    assert data.CATALOG[row["data"]].examples == int(row["examples"])
    found = published.zero_shot(
      f"open_clip:{row['architecture']}/{row['pretrained']}", row["data"], row["metric"]
    )
    assert 0 < found.value < 1
    assert found.protocol.data == row["data"]


def test_the_metric_of_a_set_is_that_of_its_numbers():
  of_open_clip = {row["data"]: row["metric"] for row in ROWS if row["table"] == "open_clip"}
  for row in table.ROWS:
    if row.name in of_open_clip:
      assert row.metric == of_open_clip[row.name]


def test_prompts_of_the_protocol_are_the_sets_own():
  for row in table.ROWS:
    if any(one["data"] == row.name for one in ROWS):
      found = published.zero_shot("openai/clip-vit-base-patch32", row.name, row.metric)
      assert found.protocol.prompts.templates == row.space.prompts[0].templates


@pytest.mark.parametrize(
  ("model", "data_set", "metric", "value"),
  [
    ("openai/clip-vit-large-patch14", "caltech101", "mean per class", 0.925),
    ("openai/clip-vit-large-patch14@main", "caltech101", "top-1", 0.8387),
    ("laion/CLIP-ViT-B-32-laion2B-s34B-b79K", "cars", "top-1", 0.8607),
    ("laion/CLIP-ViT-B-32-laion2B-s34B-b79K", "cars", "mean per class", None),
    ("mine.pt", "cars", "top-1", None),
  ],
)
def test_weights_are_known_by_every_name_that_loads_them(model, data_set, metric, value):
  found = published.zero_shot(model, data_set, metric)
  assert (found and found.value) == (value and pytest.approx(value, abs=5e-3))
