"""Runs under universal perturbations: rows, radii, what is refused, the page."""

import json
import shutil

import numpy as np
import pytest
from safetensors import numpy as safetensors

from jaxbench import config, data, errors, metrics, models, plan, records, report, universal
from jaxbench.evaluate import runner

EPSILONS = (8 / 255, 16 / 255)


def _settings(*paths, **changes):
  asked = {"models": ("digits-clip", "digits-resnet"), "data": ("digits",), "limit": 24} | changes
  return config.checked(
    config.Config(
      universal=config.Universal(paths=paths),
      attacks=config.Attacks(epsilons=EPSILONS),
      slots=4,
      gallery=1,
      **asked,
    )
  )


@pytest.fixture(scope="module")
def penalised(tmp_path_factory):
  """A perturbation without a radius, of half the models' size."""
  folder = tmp_path_factory.mktemp("penalised")
  delta = np.random.default_rng(0).normal(0, 0.2, (1, 3, 16, 16)).astype(np.float32)
  safetensors.save_file({"delta_param": delta}, folder / "model.safetensors")
  return folder


@pytest.fixture(scope="module")
def finished(penalised, tmp_path_factory):
  workdir = tmp_path_factory.mktemp("run") / "run"
  settings = _settings("digits-universal", str(penalised))
  runner.run(settings, plan.make(settings), workdir)
  return workdir


@pytest.mark.slow
def test_rows_are_those_of_the_perturbation_in_a_notebook(finished, penalised):
  rows = records.read(finished).to_pylist()
  source = data.load("digits")
  resnet = models.load("digits-resnet")
  wide = universal.load("digits-universal")
  half = universal.load(str(penalised))
  checked = 0
  for row in rows:
    if row["model"] != "digits-resnet" or row["perturbation"] == "clean":
      continue
    own = "digits-universal" in row["perturbation"]
    index = source.ids.index(row["example"])
    (image,), _ = data.load_images(source, [index], models.Preprocess(32 if own else 16))
    image = image[None].astype(np.float32) / 255
    shown = universal.apply(wide if own else half, image, row["epsilon"])
    logits = models.resized(resnet, 32)(shown)
    assert row["prediction"] == int(np.argmax(logits))
    assert row["success"] == (row["prediction"] != row["label"])
    if own:
      assert row["distance"] == pytest.approx(float(np.abs(shown - image).max()), abs=1e-6)
      assert row["distance"] <= np.float32(row["epsilon"])
    else:
      assert row["epsilon"] is row["distance"] is None
    assert row["psnr"] > 0
    checked += 1
  assert checked == 24 * 3


def test_the_page_tells_success_by_every_definition(finished):
  page = finished / "page.html"
  report.write([finished], page)
  text = page.read_text()
  assert "Universal perturbations on digits: one for all images" in text
  assert "3 universal perturbations" not in text  # Two, one of them at two radii.
  assert "predictions changed" in text
  rows = records.by_cell(records.read(finished))
  (cell,) = (one for one in rows if "digits-clip:" in one and "@16/255" in one)
  lost = metrics.attack_success(rows[cell], "set_difference")
  assert lost > 0.3
  assert f'data-cell="{cell}"' in text


def test_folders_of_one_name_are_told_apart(penalised, tmp_path):
  shutil.copytree(penalised, other := tmp_path / penalised.name)
  settings = _settings("digits-universal", str(penalised), str(other))
  found = {cell.perturbation.text for cell in plan.make(settings).cells} - {"clean"}
  name = penalised.name
  assert found == {
    "universal(digits-universal)",
    f"universal({penalised.parent.name}/{name})",
    f"universal({tmp_path.name}/{name})",
  }


def test_examples_that_it_was_learnt_from_are_refused():
  settings = _settings("digits-universal", data=("digits-train",), models=("digits-resnet",))
  with pytest.raises(errors.InputError, match=r"was learnt from \d+ of these images"):
    plan.make(settings)


def test_one_that_is_not_there_may_be_left_out():
  with pytest.raises(errors.InputError, match="nowhere: no such folder"):
    plan.make(_settings("nowhere"))
  made = plan.make(_settings("nowhere", available=True))
  assert [one.what for one in made.absent] == ["nowhere"]
  assert {cell.perturbation.kind for cell in made.cells} == {"clean"}


def test_the_command_learns_and_says_from_what(tmp_path):
  from jaxbench.universal import __main__ as command

  asked = ["--models=digits-clip,digits-resnet", "--data=digits-train", "--steps=2", "--batch=8"]
  status = command.main([*asked, "--limit=16", "--ucb=1", f"--out={tmp_path / 'out'}"])
  assert status == 0
  told = json.loads((tmp_path / "out/config.json").read_text())
  assert len(told["learnt_from"]["ids"]) == 16
  assert set(told["models"]) == {"digits-clip", "digits-resnet"}
  assert told["picks"] == [1, 1]
  assert universal.load(str(tmp_path / "out")).side == 32
