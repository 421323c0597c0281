"""The first screen and the rows for other programs: the same figures, whatever the form."""

import csv
import json
import re

import numpy as np
import pyarrow as pa
import pytest
from references import runs

from jaxbench import config, records, report
from jaxbench.report import __main__ as command
from jaxbench.report import content, first, summaries, units

RIGHT = 30


@pytest.fixture(scope="module")
def run(tmp_path_factory):
  settings = config.checked(
    config.Config(
      models=("digits-clip", "digits-resnet"),
      data=("digits",),
      attacks=config.Attacks(names=("fgsm",), smallest=("bim(steps=3)",)),
      limit=40,
    )
  )
  names = {"digits-resnet": "res|net *b*"}
  folder = tmp_path_factory.mktemp("summaries") / "run"
  return runs.write(folder, settings, lambda cell: np.arange(40) < RIGHT, names=names)


@pytest.fixture(scope="module")
def written(run):
  out = run.parent / "page.html"
  words = ["--export=rows", "--export=markdown", f"--export={run.parent / 'tables'}"]
  assert command.main([str(run), f"--out={out}", *words]) == 0
  return run.parent


def test_the_json_holds_the_figures_and_its_keys_are_those_of_the_readme(run, written):
  found = json.loads((written / "page.json").read_text())
  (told,) = found["runs"]
  clip, resnet = told["classifiers"]
  assert (resnet["model"], resnet["prompts"]) == ("res|net *b*", None)
  assert clip["figures"]["clean"]["value"] == RIGHT / 40
  assert clip["figures"]["smallest_epsilon"]["value"] == "inf"
  assert clip["figures"]["clean"]["low"] < RIGHT / 40 < clip["figures"]["clean"]["high"]
  readme = (summaries.epath.Path(summaries.__file__).parent / "README.md").read_text()
  assert found["version"] == int(re.search(r"`version` \| (\d+)", readme)[1])
  keys = {*found, *told, *clip, *told["columns"][0], *clip["figures"], *clip["figures"]["clean"]}
  assert all(f"`{key}`" in readme or f".{key}`" in readme or f".{key}[]`" in readme for key in keys)


def test_the_markdown_table_is_that_of_the_first_screen(run, written):
  text = (written / "summary.md").read_text()
  assert text == report.markdown(run)
  head, rule, clip, resnet = text.splitlines()[:4]
  assert head.count("|") == rule.count("|") == clip.count("|")
  assert clip.startswith("| digits-clip | simple | **75.0** |")
  assert resnet.startswith("| res\\|net \\*b\\* | – | **75.0** |")
  assert content.load(run).first.sentence in text


def test_the_csv_holds_every_row(run, written):
  with (written / "rows.csv").open() as file:
    found = list(csv.DictReader(file))
  rows = records.read(run).to_pylist()
  assert len(found) == len(rows)
  for line, row in zip(found, rows, strict=True):
    for name in ("cell", "model", "example", "prediction", "forwards"):
      assert line[name] == str(row[name])
    assert line["success"] == {None: "", True: "true", False: "false"}[row["success"]]
  assert "picture" not in found[0]


def test_a_folder_is_still_a_folder(written):
  assert (written / "tables" / "cells.csv").exists()


def test_several_right_labels_stand_side_by_side(run, tmp_path):
  rows = records.read(run)
  labels = [[1, 2]] * len(rows)
  place = rows.schema.get_field_index("labels")
  rows = rows.set_column(
    place, rows.schema.field(place), pa.array(labels, rows.schema.field(place).type)
  )
  described = records.load_run(run)
  records.Store(tmp_path / "run", described).write("digits", 0, [rows])
  report.export_rows(tmp_path / "run", tmp_path / "rows.csv")
  with (tmp_path / "rows.csv").open() as file:
    assert next(csv.DictReader(file))["labels"] == "1 2"


def test_units_are_those_that_people_use():
  value = first.Value(4 / 255, None, 8 / 255, False, None)
  assert units.figure(value, "linf") == "4.00"
  assert units.interval(value, "linf") == "– to 8.00"
  assert units.figure(value._replace(value=0.123), "points") == "+12.3"
  assert units.interval(value._replace(high=None), "share") == ""
