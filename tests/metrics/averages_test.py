"""Averages over data sets: which cells stand together, and what is averaged."""

import numpy as np
import pyarrow as pa
import pytest

from jaxbench import data, metrics
from jaxbench.metrics import published

SETS = published.SUITES["fare13"]


def _cell(name, accuracy, perturbation="clean", epsilon=None, prompts="own", model="m"):
  return {
    "cell": f"{name}/{model}/{prompts}/{perturbation}/{epsilon}",
    "data": name,
    "model": model,
    "prompts": prompts,
    "perturbation": perturbation,
    "severity": None,
    "epsilon": epsilon,
    "accuracy": accuracy,
    "per_class_accuracy": accuracy / 2,
    "mean_average_precision": None,
  }


def _averages(cells, metric=None):
  return metrics.averages(pa.Table.from_pylist(cells), metric)


def test_a_papers_suite_is_averaged_where_all_of_its_sets_are_there():
  shares = dict(zip(SETS, np.linspace(0, 1, 13), strict=True)) | {"imagenet": 1.0}
  cells = [_cell(name, share) for name, share in shares.items()]
  suite, everything = _averages(cells, {"pets": metrics.MEAN_PER_CLASS})
  assert (suite.suite, suite.perturbation, suite.epsilon) == ("fare13", "clean", None)
  assert suite.value == pytest.approx(0.5)
  assert suite.by_set == {name: shares[name] for name in SETS}
  assert suite.cells["pets"] == "pets/m/own/clean/None"
  # By what is reported of each: half of pets.
  assert everything.suite == metrics.ALL
  assert everything.value == pytest.approx((6.5 + 1 - shares["pets"] / 2) / 14)
  assert {each.suite for each in _averages(cells[1:])} == {metrics.ALL}


def test_an_attack_counts_where_all_sets_have_it_or_each_has_one():
  at = 2 / 255
  one = [_cell(name, 0.5, "pgd(steps=3)", at) for name in ("cars", "pcam")]
  other = [_cell("cars", 0.3, "apgd", at), _cell("pcam", 0.1, "square", at)]
  assert [(each.perturbation, each.value) for each in _averages(one)] == [("pgd(steps=3)", 0.5)]
  assert [(each.perturbation, each.value) for each in _averages(other)] == [
    (None, pytest.approx(0.2))
  ]
  both = _averages([*one, *other])
  assert [each.perturbation for each in both] == ["pgd(steps=3)"]
  assert _averages([*one, other[0], _cell("pcam", 0.1, "square", 1 / 255)]) == both
  assert _averages([other[0], _cell("pcam", 0.1, "square", 1 / 255)]) == []


def test_sets_may_have_prompts_of_their_own_but_only_one_each():
  mixed = [_cell("cars", 0.2, prompts="own(tecoa)"), _cell("pcam", 0.6)]
  (found,) = _averages(mixed)
  assert (found.prompts, found.value) == ("own(tecoa), own", pytest.approx(0.4))
  both = [*mixed, _cell("cars", 0.4)]
  assert [(each.prompts, each.value) for each in _averages(both)] == [("own", pytest.approx(0.5))]
  assert _averages([_cell("cars", 0.2, prompts="simple"), _cell("pcam", 0.2)]) == []


def test_what_a_set_is_reported_by_must_be_known_of_all():
  cells = [_cell("cars", 0.2), _cell("voc2007_multilabel", 0.4)]
  metric = {"voc2007_multilabel": metrics.MEAN_AVERAGE_PRECISION}
  assert _averages(cells, metric) == []


def test_the_console_has_a_line_for_each():
  cells = [_cell("cars", 0.25), _cell("pcam", 0.5), _cell("cars", 0, "pgd", 4 / 255)]
  cells.append(_cell("pcam", 0.5, "square", 4 / 255))
  _, _, clean, attacked = metrics.overview_averages(_averages(cells)).splitlines()
  assert clean.split() == ["all", "2", "m", "own", "clean", "-", "37.5"]
  assert attacked.endswith("each set's attack    4/255     25.0")
  assert metrics.overview_averages([]) == ""


def test_published_means_over_the_same_sets_stand_beside():
  cells = [_cell(name, 0.65) for name in SETS]
  cells += [_cell(name, 0.99, "pgd", 2 / 255) for name in SETS]
  told = metrics.overview_averages(_averages(cells), ["fare"]).splitlines()
  assert told[0].endswith("what is measured otherwise, the report tells")
  assert told[2].endswith(" 65.0  61.1 FARE 4/255 (fare)  67.0 FARE 2/255 (fare)")
  assert told[3].split()[-6:] == ["99.0", "45.9", "FARE", "4/255", "(fare)", "-"]
  assert "FARE" not in metrics.overview_averages(_averages(cells))


def test_suites_are_of_published_sets():
  for sets in published.SUITES.values():
    assert set(sets) <= data.CATALOG.keys()
    assert len(set(sets)) == len(sets)
  assert [len(published.SUITES[name]) for name in ("fare13", "tecoa16", "tga16", "tvss8")] == [
    *(13, 16, 16, 8)
  ]
