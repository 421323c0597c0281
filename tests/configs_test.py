"""Every config of the repository can be planned on what it ships."""

import importlib.util
import pathlib

import pytest

from jaxbench import config, plan

CONFIGS = pathlib.Path(__file__).parent.parent / "configs"
ARGUMENTS = {
  "quickstart": (),
  "roz_attacks": (),
  "robust_clip": ("digits",),
  "robustbench": ("digits",),
  "imagenet_c": ("digits",),
  "imagenet_p": ("digits",),
}


def _load(name):
  spec = importlib.util.spec_from_file_location(name, CONFIGS / f"{name}.py")
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module


@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_config_is_planned_whole(name):
  settings = config.checked(_load(name).get_config(*ARGUMENTS[name]))
  made = plan.make(settings)
  assert not made.absent
  assert {cell.model for cell in made.cells} == set(settings.models)


def test_roz_has_its_eleven_attacks_in_both_readings():
  cells = plan.make(config.checked(_load("roz_attacks").get_config())).cells
  names = {cell.perturbation for cell in cells} - {"clean"}
  typographic = {cell.perturbation for cell in cells if cell.knowledge == "its classes"}
  assert len(names - typographic) == 11
  white_box_dim = {name for name in names if name.startswith("smallest(dim")}
  assert len(white_box_dim) == len(typographic) == 1
  assert len(names - white_box_dim) == 11


def test_every_file_is_tested_or_trains():
  files = {file.stem for file in CONFIGS.glob("*.py")}
  elsewhere = {"train_digits", "natural", "imagenet_c_on_disk"}  # The last two need data sets.
  assert files == {*ARGUMENTS, *elsewhere}


@pytest.mark.parametrize("name", ["robust_clip", "robustbench"])
def test_protocols_on_imagenet_are_those_of_their_papers(name):
  settings = config.checked(_load(name).get_config())
  assert settings.attacks.search_dtype == "float32"
  assert settings.data == ("imagenet",)
  assert max(settings.attacks.epsilons) == pytest.approx(4 / 255)
