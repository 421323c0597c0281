"""ImageNet-X: accuracy by factor against its own arithmetic, and files that are none of its."""

import json

import numpy as np
import pytest
from references import command, runs

from jaxbench import config, errors, metrics, records

NAMES = [f"ILSVRC2012_val_{row:08d}.JPEG" for row in range(1, 201)]


def _file(folder, names, factors, prototypes=()):
  lines = [
    {"file_name": name, "class": 0, "justification": "", "one_word": ""}
    | {factor: int(factor in its) for factor in metrics.FACTORS}
    for name, its in zip(names, factors, strict=True)
  ]
  file = folder / "imagenet_x_val_top_factor.jsonl"
  file.write_text("\n".join(map(json.dumps, lines)) + "\n")
  (folder / "prototypical_paths.csv").write_text("\n".join(["file_name", *prototypes]) + "\n")
  return file


def _rows(names, right, data="imagenet"):
  prediction = (~right).astype(np.int32)
  columns = {"example": names, "label": np.zeros(len(names), np.int32), "prediction": prediction}
  ones = np.ones(len(names), np.int32)
  columns |= {"clean_prediction": prediction, "forwards": ones, "backwards": ones}
  return records.table({"cell": "c", "model": "m", "data": data, "perturbation": "clean"}, columns)


def test_error_ratios_are_those_of_the_papers_code(tmp_path):
  draw = np.random.default_rng(0)
  factors = [set(draw.choice(metrics.FACTORS[:4], draw.integers(0, 3))) for _ in NAMES[:150]]
  right = draw.random(200) < 0.7
  known = metrics.read_factors(_file(tmp_path, NAMES[:150], factors, NAMES[:30]))
  assert set(known) == set(NAMES[30:150])
  found = metrics.summarize_factors(_rows(NAMES, right), known).to_pylist()
  # accuracies = correct of a factor / all of it; ratio = (1 - accuracy) / (1 - average).
  average = right[30:150].mean()
  assert [row["factor"] for row in found] == list(metrics.FACTORS[:4])
  for row in found:
    member = np.array([row["factor"] in factors[place] for place in range(30, 150)])
    accuracy = right[30:150][member].mean()
    assert (row["examples"], row["accuracy"]) == (member.sum(), pytest.approx(accuracy))
    assert row["error_ratio"] == pytest.approx((1 - accuracy) / (1 - average))
    assert row["accuracy_low"] < accuracy < row["accuracy_high"]


def test_without_errors_there_is_no_ratio_and_other_sets_have_no_factors(tmp_path):
  known = metrics.read_factors(_file(tmp_path, NAMES[:2], [{"pose"}, set()]))
  (found,) = metrics.summarize_factors(_rows(NAMES[:3], np.ones(3, bool)), known).to_pylist()
  assert (found["accuracy"], found["error_ratio"]) == (1, None)
  other = _rows(NAMES[:3], np.ones(3, bool), "imagenet-a")
  assert metrics.summarize_factors(other, known).num_rows == 0


@pytest.mark.parametrize("content", ["", "{}", "[]", "no JSON", '{"file_name": "a"}'])
def test_another_file_is_one_line(tmp_path, content):
  file = tmp_path / "x.jsonl"
  file.write_text(content)
  if not content:
    file.unlink()
  with pytest.raises(errors.InputError, match=r"x.jsonl is no file of ImageNet-X"):
    metrics.read_factors(file)


def test_a_report_tells_them_where_the_file_is_named(tmp_path, monkeypatch):
  monkeypatch.setattr(metrics.factors, "_DATA", "digits")
  settings = config.Config(models=("digits-clip",), data=("digits",), limit=10)
  run = runs.write(tmp_path / "run", config.checked(settings), lambda cell: np.arange(10) < 6)
  names = [f"file {row:03d}" for row in range(10)]
  file = _file(tmp_path, names, [{"pose"}] * 5 + [{"style"}] * 5)
  page = tmp_path / "report.html"
  command.call("jaxbench.report", run, f"--out={page}", f"--imagenet_x={file}")
  text = page.read_text()
  section = text[text.index("<summary>ImageNet-X") :].partition("</table>")[0]
  assert "pose<small>5 images</small>" in section
  assert "<td>0.00<small>100.0 (" in section
  assert "<td>2.00<small>20.0 (" in section
