"""All of RoZ in one config: what it holds, what it leaves out, and that it grows."""

import dataclasses
import importlib.util
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from references import runs

from jaxbench import attacks, config, data, errors, models, plan, records, spec
from jaxbench.evaluate import provenance
from jaxbench.plan.perturbations import KINDS

ROOT = pathlib.Path(__file__).parents[1]


def _config(size):
  found = importlib.util.spec_from_file_location("roz", ROOT / "configs" / "roz.py")
  module = importlib.util.module_from_spec(found)
  found.loader.exec_module(module)
  return config.checked(module.get_config(size))


def test_the_tiny_world_has_every_section():
  cells = plan.make(_config("tiny")).cells
  perturbed = {cell.data for cell in cells if cell.perturbation.text != "clean"}
  assert perturbed == {"digits"}
  assert {cell.data for cell in cells} == {"digits", "digits-printed"}
  searched = {cell.perturbation.text for cell in cells if "tolerance" in cell.columns}
  from_one = {name for name in searched if "digits-clip" not in name}
  assert len(from_one) == 11  # White box and from logits, and by transfer from the ResNet.
  assert len({cell.perturbation for cell in cells if cell.perturbation.kind == "sequence"}) == 10
  kinds = {cell.perturbation.kind for cell in cells}
  beyond = {"universal", "targeted", "certified", "text_attack", "joint"}  # The paper.
  # For want of published weights and paintings.
  assert kinds == KINDS.keys() - beyond - {"stylization"}


def test_full_is_ten_shifts_and_known_names():
  full, small = _config("full"), _config("small")
  assert dataclasses.replace(small, limit=0) == full
  assert small.limit == 1000
  shifts = [
    name for name in full.data if not name.startswith("imagenet-on-") and name != "imagenet"
  ]
  assert len(shifts) + 2 == 10  # ImageNet-C and -P are made of ImageNet's images.
  assert set(full.data) <= data.CATALOG.keys()
  sources = {source for listing in models.list_models().values() for source in listing.sources}
  surrogates = {member.model for one in config.surrogates(full).values() for member in one}
  assert {*full.models, *surrogates} <= sources
  for text in (*full.attacks.smallest, *full.attacks.names):
    assert spec.resolve(text, attacks.ATTACKS, "attack")


def test_what_is_not_there_is_listed_with_the_way_to_it(monkeypatch, tmp_path):
  monkeypatch.delenv("JAXBENCH_DATA", raising=False)
  made = plan.make(dataclasses.replace(_config("full"), data_root=str(tmp_path)))
  assert made.cells == ()
  reasons = {absent.what: absent.reason for absent in made.absent}
  assert "get it from https://people.eecs.berkeley.edu" in reasons["imagenet-r"]
  assert "--config.download=True" in reasons["openai/clip-vit-base-patch32"]
  assert "transfer from timm/resnet152.tv_in1k" in reasons


def test_without_the_option_what_is_missing_stops_the_run(tmp_path):
  settings = config.Config(models=("org/none",), data=("digits",))
  with pytest.raises(errors.InputError, match="neither a path"):
    plan.make(config.checked(settings))
  settings = config.Config(models=("digits-clip",), data=("digits",), perturbed=("digit",))
  with pytest.raises(errors.InputError, match="Did you mean 'digits'"):
    config.checked(settings)


def _both(**changes):
  return config.checked(
    config.Config(
      models=("digits-clip", "org/later"), data=("digits",), available=True, limit=4, **changes
    )
  )


def test_a_run_goes_on_with_what_has_been_found_since(tmp_path, monkeypatch):
  run = runs.write(tmp_path / "run", _both(), lambda cell: np.ones(4, bool))
  describe = models.describe
  names = {"org/later": "digits-resnet"}
  monkeypatch.setattr(models, "describe", lambda name, **_: describe(names.get(name, name)))
  more = provenance.describe_run(_both(), plan.make(_both()))
  assert len(more["cells"]) == 2
  assert len(records.Store(run, more).counts()) == 1
  # What was there may not go, nor change.
  run = runs.write(tmp_path / "more", _both(), lambda cell: np.ones(4, bool))
  monkeypatch.undo()
  fewer = provenance.describe_run(_both(), plan.make(_both()))
  with pytest.raises(errors.InputError, match="belongs to another configuration"):
    records.Store(run, fewer)


@pytest.mark.slow
def test_the_tiny_world_runs_whole(tmp_path):
  command = [sys.executable, "-m", "jaxbench", "--config=configs/roz.py:tiny"]
  subprocess.run([*command, f"--workdir={tmp_path / 'run'}"], check=True, cwd=ROOT)
  page = (tmp_path / "run" / "report.html").read_text()
  assert "Everything that was asked for has been computed" in page
