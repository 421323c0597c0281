"""Papers' protocols on miniatures of their sets, through the command line."""

import json
import re
import runpy
import shutil
from importlib import resources

import numpy as np
import pytest
from references import checkpoints, command, zero_shot

from jaxbench import config, metrics, plan, records
from jaxbench.data import imagenet, label_spaces
from jaxbench.data.zero_shot import table
from jaxbench.evaluate import provenance

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


def _run(name, workdir, model, root, *more):
  out, _ = command.run(
    f"--config=configs/{name}.py:tiny",
    f"--workdir={workdir}",
    f"--config.models={model}",
    f"--config.data_root={root}",
    *more,
  )
  return out, records.load_run(workdir), records.read(workdir)


@pytest.mark.slow
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


@pytest.mark.slow
def test_tecoas_sets_with_its_own_prompts(tmp_path, model, root):
  sets = ("--config.data=cars,pets,food101", "--config.prompts=own(tecoa),cars=own")
  _, run, rows = _run("tecoa16", tmp_path, model, root, *sets)
  shown = {"resize": 256, "interpolation": "bilinear"}
  assert all(shown.items() <= cell["preprocess"].items() for cell in run["cells"])
  own = run["identity"]["prompts"]["own(tecoa)"]
  assert own["food101"]["templates"] == ["A photo of {}, a type of food."]
  assert {(cell["data"], cell["prompts"]) for cell in run["cells"]} == {
    ("cars", "own"),
    ("pets", "own(tecoa)"),
    ("food101", "own(tecoa)"),
  }
  assert len(metrics.summarize(rows)) == 3 * (1 + 2)


@pytest.mark.slow
def test_all_of_vtab_and_what_needs_all_logits(tmp_path, model, root):
  """Average precision of images with several answers; outliers beside what they look like."""
  shutil.copytree(root, data := tmp_path / "data")
  zero_shot.voc2007_multilabel(data)
  wnids = [imagenet.wnids()[label] for label in label_spaces.imagenet_o().imagenet[0]]
  package = resources.files("tensorflow_datasets") / "datasets/imagenet2012/validation_labels.txt"
  numbers = [n for n, wnid in enumerate(package.read_text().split(), 1) if wnid in wnids]
  for level, number in enumerate(numbers[:3]):
    name = f"imagenet/val/ILSVRC2012_val_{number:08d}.JPEG"
    zero_shot.write(data / name, zero_shot.image(60 * level, size=24))
    zero_shot.write(data / f"imagenet-o/{wnids[0]}/{level}.jpg", zero_shot.image(9 + 60 * level))
  listed = runpy.run_path("configs/vtab.py")["SETS"]
  outliers = ("imagenet-o", "imagenet-on-imagenet-o")
  sets = [name for name in listed if name not in ("imagenet", "imagenet-o")]
  asked = f"--config.data={','.join((*sets, *outliers))}"
  prompts = f"--config.prompts=own,{','.join(f'{name}=simple' for name in outliers)}"
  out, run, rows = _run("vtab", tmp_path / "run", model, data, asked, prompts)
  voc = ("voc2007", "voc2007_multilabel")
  assert {cell["data"] for cell in run["cells"]} == {*SETS, "food101", *voc, *outliers}
  assert json.dumps(run["absent"]).count("imagenet-r") > 0
  assert "voc2007_multilabel (mean average precision)" in out
  assert re.search(r"imagenet-o .*simple +largest logit +\d", out)
  lengths = {name: set() for name in run["data"]}
  for row in rows.select(["data", "scores", "prediction"]).to_pylist():
    lengths[row["data"]].add(len(row["scores"] or ()))
    assert row["scores"] is None or np.argmax(row["scores"]) == row["prediction"]
  expected = {"voc2007_multilabel": {20}} | {name: {200} for name in outliers}
  assert {name: found for name, found in lengths.items() if found != {0}} == expected
  page = (tmp_path / "run/report.html").read_text()
  assert "<summary>Outliers" in page
  assert "Mean over the classes of the average precision" in page


@pytest.mark.parametrize(("where", "prompts"), [("clean", "own(coop)"), ("tiny", "simple")])
def test_coops_sets_with_its_templates(tmp_path, model, where, prompts):
  zero_shot.coop(tmp_path)
  settings = runpy.run_path("configs/coop.py")["get_config"](where)
  settings.models, settings.data_root, settings.limit = (str(model),), str(tmp_path), 2
  made = plan.make(config.checked(settings))
  assert {(cell.data, cell.prompts) for cell in made.cells} == {("eurosat-coop", prompts)}
  assert len(made.cells) == (1 if where == "clean" else 2)
  assert {each.what for each in made.absent} == set(settings.data) - {"eurosat-coop"}
  own = provenance.describe_run(settings, made)["identity"]["prompts"][prompts]
  coop = {"source": "coop", "templates": ["a centered satellite photo of {}."]}
  assert prompts == "simple" or coop.items() <= own["eurosat-coop"].items()


def test_tecoas_names():
  space = {row.name: row.space for row in table.ROWS if row.classes is not None}
  sets = ("cars", "country211", "eurosat-all", "fgvc_aircraft", "pcam")
  asked = {name: next(own for own in space[name].prompts if own.source == "tecoa") for name in sets}
  names = {name: own.class_names for name, own in asked.items()}
  assert names["cars"][0] == "am general hummer suv"
  assert "boeing 707 320" in names["fgvc_aircraft"]
  assert "a300b4" in names["fgvc_aircraft"]
  assert names["eurosat-all"][::9] == ("annual crop land", "a sea or a lake")
  assert asked["pcam"].templates == ("{}",)
  assert names["pcam"][1] == "This is a photo of lymph node tumor tissue."
  countries = dict(zip(space["country211"].class_names, names["country211"], strict=True))
  assert countries["France"] == "France"
  assert countries["DR Congo"] == "Congo, The Democratic Republic of the"
  assert countries["Timor-Leste"] == "Timor Leste"
  assert len({*names["country211"]}) == 211


@pytest.mark.slow
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
