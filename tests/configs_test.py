"""Every config of the repository can be planned on what it ships."""

import ast
import importlib.util
import inspect
import pathlib
import re

import jax
import pytest

from jaxbench import attacks, config, corruptions, errors, plan, spec

CONFIGS = pathlib.Path(__file__).parent.parent / "configs"
ARGUMENTS = {
  "quickstart": (),
  "roz_attacks": (),
  "robust_clip": ("digits",),
  "robustbench": ("digits",),
  "defences": ("tiny",),
  "roz": ("tiny",),
  "sweep": ("digits",),
  "universal": ("tiny",),
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
  # Frost needs photographs that a person brings.
  assert {absent.what for absent in made.absent} <= {"frost"}
  assert {cell.model for cell in made.cells} == set(settings.models)


def test_roz_has_its_eleven_attacks_in_both_readings():
  cells = plan.make(config.checked(_load("roz_attacks").get_config())).cells
  perturbations = {cell.perturbation for cell in cells if cell.perturbation.kind != "clean"}
  names = {one.text for one in perturbations}
  typographic = {one.text for one in perturbations if one.kind == "typography"}
  assert len(names - typographic) == 11
  white_box_dim = {name for name in names if name.startswith("smallest(dim")}
  assert len(white_box_dim) == len(typographic) == 1
  assert len(names - white_box_dim) == 11


@pytest.mark.parametrize("goal", ["clean", "robust"])
def test_a_search_of_prompts_can_be_had(goal):
  settings = config.checked_search(_load("clip_auto").get_config(goal))
  assert bool(settings.corruptions) == (goal == "robust")


@pytest.mark.parametrize("file", sorted(CONFIGS.glob("*.py")), ids=lambda file: file.stem)
def test_an_argument_that_a_config_does_not_take_is_refused(file):
  """Else a run of everything begins where a small one was meant."""
  get_config = _load(file.stem).get_config
  if inspect.signature(get_config).parameters:
    with pytest.raises(errors.InputError, match="unknown argument of this config 'tny'"):
      get_config("tny")


def test_every_file_is_tested_or_trains():
  files = {file.stem for file in CONFIGS.glob("*.py")}
  elsewhere = {"train_digits", "natural", "imagenet_c_on_disk"}  # The last two need data sets.
  elsewhere |= {"clip_auto"}  # In prompt_search_test.py.
  elsewhere |= {"coop", "tecoa16", "vtab"}  # In protocols_test.py.
  elsewhere |= {"retrieval", "probes", "text_attacks"}  # In evaluate/*_test.py of these names.
  elsewhere |= {"joint"}  # In evaluate/galleries_test.py.
  assert files == {*ARGUMENTS, *elsewhere}


def test_protocols_on_imagenet_are_those_of_their_papers():
  clip = config.checked(_load("robust_clip").get_config())
  attack = config.attacks_on(clip, "cars")[0]
  cascade = attacks.cascade(spec.build(spec.resolve(attack, attacks.ATTACKS, "attack")))
  assert cascade.names == ("apgd-ce", "apgd-t")
  assert [one.runs for one in cascade.attacks] == [5, 9]
  assert (clip.limit, clip.native) == (0, True)
  assert config.subset_on(clip, "cars") == "robustvlm(n=1000)"
  assert config.subset_on(clip, "imagenet") == "robustbench"
  assert config.attacks_on(clip, "pcam") == ("autoattack(attacks=('apgd-ce',), restarts=5)",)
  assert clip.attacks.epsilons == pytest.approx([2 / 255, 4 / 255])
  bench = config.checked(_load("robustbench").get_config())
  (attack,) = bench.attacks.names
  full = spec.build(spec.resolve(attack, attacks.ATTACKS, "attack"))
  assert full == attacks.autoattack(norm="linf")
  assert (bench.limit, bench.native, bench.subset) == (0, False, "robustbench")
  assert bench.attacks.epsilons == pytest.approx([4 / 255])
  for settings in (clip, bench):
    assert settings.attacks.search_dtype == "float32"
  assert bench.data == ("imagenet",)


@pytest.mark.parametrize(
  ("device", "models", "surrogates", "dtype"),
  [
    ("cpu", ("digits-clip",), (), "float32"),
    ("gpu", ("digits-clip", "digits-resnet"), (), "bfloat16"),
    ("tpu", ("base+fare.pt",), ("timm:resnet50", "digits-clip"), "bfloat16"),
    ("gpu", ("digits-clip", "digits-clip|ttc"), (), "float32"),
    ("gpu", ("mine.py:robust",), (), "float32"),
    ("gpu", ("notebook:model",), (), "float32"),
    ("gpu", ("digits-clip",), ("digits-resnet+mine.py",), "float32"),
  ],
)
def test_searches_are_in_half_precision_where_no_model_loses_by_it(
  device, models, surrogates, dtype, monkeypatch
):
  monkeypatch.setattr(jax, "default_backend", lambda: device)
  transfer = ("mim",) if surrogates else ()
  for asked, used in (("auto", dtype), ("float32", "float32"), ("bfloat16", "bfloat16")):
    attacked = config.Attacks(search_dtype=asked, transfer=transfer, surrogates=surrogates)
    settings = config.Config(models=models, data=("digits",), attacks=attacked)
    assert config.checked(settings).attacks.search_dtype == used


def test_imagenet_c_bar_is_ten_other_corruptions():
  names = _load("imagenet_c").get_config("bar").corruptions.names
  assert len(names) == 10
  assert not {*names} & {*corruptions.NAMES, *corruptions.EXTRA_NAMES}


def test_imagenet_c_on_disk_is_fifteen_corruptions_and_the_clean_images():
  names = _load("imagenet_c_on_disk").get_config().data
  assert names[0] == "imagenet"
  assert {name.split("/")[1] for name in names[1:]} == set(corruptions.NAMES)
  assert len(names) == len(set(names)) == 1 + 15 * 5


@pytest.mark.parametrize("file", sorted(CONFIGS.glob("*.py")), ids=lambda file: file.stem)
def test_a_header_tells_command_run_time_and_what_to_expect(file):
  header = ast.get_docstring(ast.parse(file.read_text()))
  for word in ("Command: ", "Run time: ", "Expected"):
    assert word in header
  assert not re.search(r"\b(TIME|EXPECTED|TODO)\b", header)
