"""A report on the published files of ImageNet-C, from rows that are written here."""

import csv
import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from jaxbench import config, metrics, plan, records, report, tables
from jaxbench.evaluate import provenance
from jaxbench.metrics import mce, published


@pytest.fixture(scope="module")
def run(tmp_path_factory):
  """Every corruption at every severity."""
  folder = tmp_path_factory.mktemp("on_disk") / "run"
  settings = config.checked(config.Config(models=("digits-resnet",), data=("digits",)))
  described = provenance.describe_run(settings, plan.make(settings))
  (clean,) = described["cells"]
  known = described["data"]["digits"]
  parts = {"imagenet": 8} | {
    f"imagenet-c/{name}/{severity}": 6 - severity
    for name in mce.OFFICIAL
    for severity in mce.SEVERITIES
  }
  cells = [clean | {"data": name, "id": f"cell {name}", "examples": 10} for name in parts]
  described |= {"cells": cells, "data": dict.fromkeys(parts, known)}
  described["identity"]["data"] = dict.fromkeys(parts, "0" * 64)
  store = records.Store(folder, described)
  tables = []
  for cell, right in zip(cells, parts.values(), strict=True):
    label = np.zeros(10, np.int32)
    columns = {
      "example": [f"{row}" for row in range(10)],
      "label": label,
      "clean_prediction": label,
      "prediction": (np.arange(10) >= right).astype(np.int32),
      "forwards": label + 1,
      "backwards": label,
    }
    names = ("model", "data", "prompts", "perturbation")
    tables.append(records.table({"cell": cell["id"], **{n: cell[n] for n in names}}, columns))
  store.write("imagenet", 0, tables)
  return folder


def test_a_run_without_clean_images_has_a_report(run, tmp_path):
  """And no figure that needs them."""
  described = records.load_run(run)
  described["cells"] = [cell for cell in described["cells"] if cell["data"] != "imagenet"]
  del described["data"]["imagenet"], described["identity"]["data"]["imagenet"]
  rows = records.read(run)
  store = records.Store(tmp_path / "run", described)
  store.write("x", 0, [rows.filter(pc.not_equal(rows["data"].cast(pa.string()), "imagenet"))])
  report.write([tmp_path / "run"], tmp_path / "report.html")
  page = (tmp_path / "report.html").read_text()
  assert "Clean images" not in page
  assert ">mCE</th>" in page
  assert ">relative mCE</th>" not in page


@pytest.mark.slow
def test_75_data_sets_are_told_as_one_with_mce(run):
  report.write([run], run.parent / "report.html")
  page = (run.parent / "report.html").read_text()
  assert re.findall(r"<h3[^>]*>(imagenet\S*):", page) == ["imagenet", "imagenet-c"]
  assert "Accuracy under fog, by severity" in page
  rows = metrics.corrupted_on_disk(records.read(run))
  correct = metrics.correct_by_cell(rows, "digits-resnet", None, "imagenet-c")
  found = metrics.corruption_errors(correct, reference=metrics.alexnet()).figures["mce"]
  errors = {(name, s): 1 - (6 - s) / 10 for name in mce.OFFICIAL for s in mce.SEVERITIES}
  alexnet = metrics.alexnet()
  expected = np.mean(
    [
      sum(errors[name, s] for s in mce.SEVERITIES) / sum(alexnet[name, s] for s in mce.SEVERITIES)
      for name in mce.OFFICIAL
    ]
  )
  assert found.value == pytest.approx(expected, abs=1e-6)
  assert f"<td>{100 * found.value:.1f}<small>" in page
  assert "generated on the device" not in page


@pytest.mark.usual("0.9-50000-*")
@pytest.mark.parametrize(
  ("theirs", "examples", "mark", "note"),
  [(0.3, 10, "≠ ", ""), (0.9, 10, "≈ ", ""), (0.9, 50_000, "", "<sup>1</sup>")],
)
def test_published_mce_stands_below_ours(run, tmp_path, monkeypatch, theirs, examples, mark, note):
  protocol = published.Protocol("imagenet-c", examples)
  known = published.Reference(theirs, "a <source>", protocol)
  monkeypatch.setattr(published, "corruption_error", {"digits-resnet": known}.get)
  report.write([run], tmp_path / "report.html")
  page = (tmp_path / "report.html").read_text()
  table = page[page.index("<caption>Common corruptions together") :]
  heads = re.findall(r'<th scope="col">(.*?)</th>', table[: table.index("</thead>")])
  cells = re.findall(r"<td>.*?</td>", table[: table.index("</table>")], re.S)
  (beside,) = [head for head, cell in zip(heads[1:], cells, strict=True) if "published" in cell]
  assert beside == "mCE"
  assert f">{mark}published {100 * theirs:.1f}{note}</small>" in table
  assert (f"{note} examples: 10 instead of all 50,000." in page) == bool(note)
  assert "(not measured as ours: images: short side 32 (bicubic) instead of as stored, 224" in table
  assert "(a &lt;source&gt;)" in table


def test_published_mce_is_that_of_its_sources():
  assert published.corruption_error("timm/resnet50.tv_in1k@main").value == pytest.approx(0.767)
  assert published.corruption_error("timm/resnet50_clip.openai") is None
  with tables.path("testbed_model_accuracies.csv").open() as file:
    testbed = {row["model"]: row["mCE_pub"] for row in csv.DictReader(file)}
  for name in ("resnet18", "resnet152", "vgg11", "vgg19_bn"):
    found = published.corruption_error(f"timm/{name}.tv_in1k")
    assert 100 * found.value == pytest.approx(float(testbed[name]), abs=0.051)
