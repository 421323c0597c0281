"""Papers' protocols on miniatures of their sets, through the command line."""

import json

import pytest
from references import checkpoints, command, zero_shot

from jaxbench import metrics, records
from jaxbench.data.zero_shot import table

SETS = ("cars", "pets", "pcam", "dtd")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
  """A random CLIP with the whole vocabulary."""
  folder = tmp_path_factory.mktemp("clip")
  return checkpoints.write_huggingface(checkpoints.clip(), folder, checkpoints.CLIP_PROCESSOR)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
  """Sets as the hub has them; one as its archive."""
  root = tmp_path_factory.mktemp("sets")
  wds = {row.name: row.wds for row in table.ROWS}
  for name in SETS:
    zero_shot.hub(root, name, f"wds_{wds[name]}/test")
  zero_shot.food101(root)
  return root


def _run(config, workdir, model, root, *more):
  out, _ = command.run(
    f"--config=configs/{config}.py:tiny",
    f"--workdir={workdir}",
    f"--config.models={model}",
    f"--config.data_root={root}",
    *more,
    exact=False,
  )
  return out, records.load_run(workdir), records.read(workdir)


def test_robust_clips_table(tmp_path, model, root):
  out, run, rows = _run("robust_clip", tmp_path, model, root)
  cells = {(cell["data"], cell["perturbation"]) for cell in run["cells"]}
  assert {data for data, _ in cells} == set(SETS)
  assert ("pcam", "autoattack(attacks=('apgd-ce',), restarts=5, steps=3, targets=2)") in cells
  assert len(cells) == 2 * len(SETS)
  own = run["identity"]["prompts"]["own"]
  assert own["cars"]["source"] == "clip_benchmark"
  assert len(own["cars"]["templates"]) == 8
  assert {name: run["data"][name]["metric"] for name in ("cars", "pets")} == {
    "cars": "top-1",
    "pets": "mean per class",
  }
  assert "pets (mean per class)" in out
  assert any(each["what"] == "imagenet" for each in run["absent"])
  assert len(rows) == 4 * len(cells)
  page = (tmp_path / "report.html").read_text()
  assert "Prompt set own on cars: 8 of clip_benchmark" in page
  assert "which is what papers report of this set" in page


def test_tecoas_sets_with_its_own_prompts(tmp_path, model, root):
  sets = ("--config.data=cars,pets,food101", "--config.prompts=own(tecoa),cars=own")
  _, run, rows = _run("tecoa16", tmp_path, model, root, *sets)
  own = run["identity"]["prompts"]["own(tecoa)"]
  assert own["food101"]["templates"] == ["A photo of {}, a type of food."]
  assert {(cell["data"], cell["prompts"]) for cell in run["cells"]} == {
    ("cars", "own"),
    ("pets", "own(tecoa)"),
    ("food101", "own(tecoa)"),
  }
  assert len(metrics.summarize(rows)) == 3 * (1 + 2)


def test_all_of_vtab_that_is_there(tmp_path, model, root):
  _, run, _ = _run("vtab", tmp_path, model, root)
  assert {cell["data"] for cell in run["cells"]} == {*SETS, "food101"}
  assert json.dumps(run["absent"]).count("imagenet") > 0


def test_a_set_that_is_short_is_refused(model, root, tmp_path):
  _, err = command.run(
    "--config=configs/vtab.py",
    f"--workdir={tmp_path / 'run'}",
    f"--config.models={model}",
    f"--config.data_root={root}",
    "--config.data=cars",
    status=2,
  )
  assert "cars has 4 of its 8,041 images" in err
  assert "--config.limit=4" in err
