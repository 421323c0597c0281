"""Which fields of a config have nothing that can be run."""

import dataclasses

import pytest

from jaxbench import config, errors, plan
from jaxbench.plan import suites
from jaxbench.plan.classifiers import Absent

SETTINGS = config.checked(
  config.Config(
    models=("digits-resnet",),
    data=("digits", "digits-printed"),
    corruptions=config.Corruptions(
      names=("contrast",), severities=(1,), sequences=("gaussian_noise",), variant="cifar"
    ),
    typography=("text",),
    attacks=config.Attacks(
      names=("fgsm",),
      smallest=("pgd(steps=2)",),
      transfer=("mim(steps=2)",),
      smallest_transfer=("bim(steps=2)",),
    ),
    limit=4,
  )
)
WRITTEN = {  # How its cells are called.
  "corruptions.names": "contrast",
  "corruptions.sequences": "sequence(",
  "typography": "text",
  "attacks.names": "fgsm",
  "attacks.smallest": "smallest(pgd",
  "attacks.transfer": "transfer(mim",
  "attacks.smallest_transfer": "smallest(transfer(bim",
}


@pytest.fixture(scope="module")
def cells():
  return plan.make(SETTINGS).cells


def test_a_whole_plan_is_accepted(cells):
  suites.require(SETTINGS, cells, [])


@pytest.mark.parametrize(("field", "start"), WRITTEN.items())
def test_a_suite_without_cells_is_named_with_the_reason(field, start, cells):
  rest = [cell for cell in cells if not cell.perturbation.text.startswith(start)]
  assert len(rest) < len(cells)
  with pytest.raises(errors.InputError) as error:
    suites.require(SETTINGS, rest, [Absent("it", "a reason")])
  assert str(error.value).startswith(f"nothing of --config.{field} can be run. it: a reason. ")
  suites.require(dataclasses.replace(SETTINGS, available=True), rest, [])


def test_a_shift_that_no_model_can_serve_is_named(cells):
  rest = [cell for cell in cells if cell.data == "digits"]
  with pytest.raises(errors.InputError, match=r"nothing of --config.data=digits-printed can be"):
    suites.require(SETTINGS, rest, [])


def test_stylization_needs_cells_of_its_own(cells):
  asked = config.Stylization(weights="w", paintings="p")
  with pytest.raises(errors.InputError, match=r"nothing of --config.stylization.weights can be"):
    suites.require(dataclasses.replace(SETTINGS, stylization=asked), cells, [])


def test_what_is_absent_for_one_reason_is_one_line():
  absent = [Absent(f"cell {number}", "memory") for number in range(7)] + [Absent("frost", "none")]
  assert suites.lines(absent) == [
    "cell 0, cell 1, cell 2, cell 3, cell 4 and 2 more: memory",
    "frost: none",
  ]
