"""What every row of the table of families must keep."""

import pytest

from jaxbench import models
from jaxbench.models.architectures import FAMILIES, SOURCES, family
from jaxbench.models.weights import checkpoint, mapping

ROWS = FAMILIES.values()


def test_a_configuration_belongs_to_one_family():
  assert len({row.config for row in ROWS}) == len(ROWS)
  for row in ROWS:
    assert all(family(config) is row for config in row.named.values())


def test_a_name_stands_for_one_architecture():
  assert len(models.ARCHITECTURES) == sum(len(row.named) for row in ROWS)
  assert set(SOURCES) <= set(models.ARCHITECTURES)
  for row in ROWS:
    if row.timm is not None:
      assert {name for name, _ in row.timm.names.values()} <= set(row.named)


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_no_two_tensors_lie_in_one_place(name):
  config = next(iter(FAMILIES[name].named.values()))
  for layouts in FAMILIES[name].layouts(config).values():
    for renamings in layouts:
      places = [mapping.source(name, renamings).names for name in checkpoint.shapes(config)]
      flat = [part for names in places for part in names]
      assert len(set(flat)) == len(flat)


@pytest.mark.parametrize("name", FAMILIES)
def test_who_reads_a_folder_knows_its_tensors(name):
  row = FAMILIES[name]
  libraries = row.layouts(next(iter(row.named.values())))
  assert (row.transformers is not None) == ("huggingface" in libraries)
  assert (row.timm is not None) == ("timm" in libraries)
