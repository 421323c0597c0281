"""What every kind of perturbation promises to a plan, in a config that asks for all of them."""

import dataclasses
import importlib.util
import json
import pathlib

import pytest

from jaxbench import config, plan
from jaxbench.plan.perturbations import KINDS
from jaxbench.records import kinds

ROZ = pathlib.Path(__file__).parents[2] / "configs" / "roz.py"


@pytest.fixture(scope="module")
def settings():
  written = importlib.util.spec_from_file_location("roz", ROZ)
  module = importlib.util.module_from_spec(written)
  written.loader.exec_module(module)
  return config.checked(module.get_config("tiny"))


@pytest.fixture(scope="module")
def cells(settings):
  return plan.make(settings).cells


def test_each_kind_is_a_row_of_the_table_with_the_field_that_asks_for_it():
  fields = set(config.fields(config.Config))
  assert {kind.field for kind in KINDS.values()} - {""} <= fields
  assert all(name == kind.kind for name, kind in KINDS.items())
  assert all("evaluate" in vars(kind) for kind in KINDS.values())


def test_cells_of_the_same_config_are_equal_and_hash_alike(settings, cells):
  again = plan.make(settings).cells
  assert again == cells
  assert len({*again, *cells}) == len(cells)


def test_records_tell_the_kind_by_the_text_as_of_runs_of_earlier_versions(cells):
  assert all(kinds.of(cell.described) == cell.perturbation.kind for cell in cells)


def test_what_is_said_and_hashed_of_a_cell_is_json(settings, cells):
  told = [cell.described for cell in cells]
  assert len({tuple(sorted(one)) for one in told}) == 1  # The same fields for all.
  json.dumps([told, [cell.perturbation.hashed(settings) for cell in cells]])


def test_whoever_makes_passes_they_add_up(cells):
  for cell in cells:
    passes = list(cell.perturbation.passes(cell.model))
    assert sum(one.forwards for one in passes) == cell.perturbation.forwards, cell.id
    assert sum(one.backwards for one in passes) == cell.perturbation.backwards, cell.id


def test_text_and_setting_tell_perturbations_apart(cells):
  shown = {(cell.perturbation.text, cell.perturbation.setting) for cell in cells}
  assert len(shown) == len({cell.perturbation for cell in cells})


def test_a_kind_cannot_be_changed_once_it_is_made(cells):
  with pytest.raises(dataclasses.FrozenInstanceError):
    cells[0].perturbation.text = "another"
