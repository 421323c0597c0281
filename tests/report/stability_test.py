"""The table of sequences, from rows that are written here: rates by a model and by a file."""

import json
import re

import numpy as np
import pytest

from jaxbench import config, metrics, plan, records, report
from jaxbench.evaluate import provenance


def _page(folder, reference, still=""):
  """Of a run in which the ResNet flips half as often as CLIP, 0.2 of the pairs and 2 ranks.

  In the sequence `still` nothing flips.
  """
  asked = config.Corruptions(sequences=metrics.SEQUENCES, difficulty=2, flip_reference=reference)
  settings = config.checked(
    config.Config(
      models=("digits-clip", "digits-resnet"), data=("digits",), corruptions=asked, limit=10
    )
  )
  made = plan.make(settings)
  store = records.Store(folder / "run", provenance.describe_run(settings, made))
  zeros = np.zeros(10, np.int32)
  names = ("label", "clean_prediction", "prediction", "forwards", "backwards")
  for cell in made.cells:
    columns = {"example": [f"{row}" for row in range(10)]} | dict.fromkeys(names, zeros)
    if cell.described["sequence"]:
      share = np.full(10, 0.2 if cell.model == "digits-clip" else 0.1, np.float32)
      share *= cell.described["sequence"] != still
      columns |= {"flips": share, "top5_distance": 10 * share}
    store.write("digits", 0, [records.table(cell.columns, columns)])
  report.write([folder / "run"], folder / "report.html")
  return (folder / "report.html").read_text()


def _figures(page, classifier):
  line = re.search(rf'<tr data-sequences="{classifier}">(.*?)</tr>', page, re.DOTALL)[1]
  return dict(re.findall(r'data-field="(\w+)">([\d.]+)<', line))


def test_rates_by_a_model_of_the_run(tmp_path):
  page = _page(tmp_path, "digits-clip")
  clip, resnet = (_figures(page, name) for name in ("digits-clip, simple", "digits-resnet"))
  assert (clip["mfr"], clip["mt5d"]) == ("100.0", "100.0")
  assert (resnet["mfr"], resnet["mt5d"]) == ("50.0", "50.0")
  assert (clip["mean"], clip["tilt"], resnet["tilt"]) == ("20.0", "20.0", "10.0")
  assert "in percent of digits-clip, simple of this run" in page
  assert "Sequences of frames, difficulty 2:" in page


@pytest.mark.parametrize("share", [0.4, 0.05])
def test_rates_by_a_file(share, tmp_path):
  file = tmp_path / "alexnet.json"
  flips = {"flip_probability": share, "top5_distance": 5 * share}
  file.write_text(json.dumps(dict.fromkeys(metrics.SEQUENCES, flips)))
  page = _page(tmp_path, str(file))
  found = _figures(page, "digits-resnet")
  assert float(found["mfr"]) == pytest.approx(10 / share, abs=0.05)
  assert float(found["mt5d"]) == pytest.approx(20 / share, abs=0.05)
  assert f"in percent of the table {file}" in page


def test_without_a_reference_there_are_no_rates(tmp_path):
  page = _page(tmp_path, "")
  assert {"mfr", "mt5d"}.isdisjoint(_figures(page, "digits-resnet"))
  assert _figures(page, "digits-resnet")["mean"] == "10.0"


def test_a_reference_that_never_flips_is_the_reason_why_there_are_no_rates(tmp_path):
  page = _page(tmp_path, "digits-clip", still="snow")
  assert "No mFR and mT5D: digits-clip, simple of this run does not flip at all in snow" in page
  assert {"mfr", "mt5d"}.isdisjoint(_figures(page, "digits-resnet"))
