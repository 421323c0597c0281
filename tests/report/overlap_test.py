"""The section on overlap with training data, read back from the page that the command writes."""

import html
import io
import json
import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from references.command import call

from jaxbench import config, errors, overlap, plan, records, report
from jaxbench.evaluate import provenance
from jaxbench.overlap import calibrate, planted
from jaxbench.records.overlap import PAIRS

ENCODER = {"name": "digits-clip", "copies": False}
COUNT = 60


@pytest.fixture(scope="module")
def run(tmp_path_factory):
  """Of the first examples, those that overlap are right, and half of the others."""
  settings = config.checked(
    config.Config(models=("digits-clip", "digits-resnet"), data=("digits",), limit=COUNT)
  )
  made = plan.make(settings)
  folder = tmp_path_factory.mktemp("overlap") / "run"
  store = records.Store(folder, provenance.describe_run(settings, made))
  ones = np.ones(COUNT, np.int32)
  right = (np.arange(COUNT) < 20) | (np.arange(COUNT) % 2 == 0)
  for cell in made.cells:
    columns = {
      "example": [f"digits/{row}" for row in range(COUNT)],
      "label": ones,
      "clean_prediction": right.astype(np.int32),
      "prediction": right.astype(np.int32),
      "forwards": ones,
      "backwards": 0 * ones,
    }
    store.write("digits", 0, [records.table(cell.columns, columns)])
  return folder


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
  """A search in which the first 20 of 60 examples have a copy; thresholds written by hand."""
  root, draw = tmp_path_factory.mktemp("searched"), np.random.default_rng(0)
  vectors = draw.normal(size=(2, COUNT, 32))
  vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
  vectors[1, 5:25] = vectors[0, :20]
  np.save(root / "shard.npy", vectors[1].astype(np.float16))
  names = [f"digits/{row}" for row in range(COUNT)]
  queries = overlap.Embeddings(
    vectors[0].astype(np.float16), ["digits"] * COUNT, names, {"encoder": ENCODER}
  )
  overlap.search(queries, root / "shard.npy", root / "out")
  known = {"data": "digits", "originals": 9, "copies": 36, "precision": 0.995, "recall": 0.75}
  known |= {"recall_low": 0.7, "recall_high": 0.8, "threshold": 0.93, "asked": 0.99}
  lines = [
    known | {"detector": detector} | dict.fromkeys(planted.KINDS, 0.75)
    for detector in ("perceptual", "embedding")
  ]
  lines.append({**known, "detector": "embedding", "asked": 1.0, "threshold": None})
  pairs = [
    ("exact", names[3], names[9], 1.0, True),
    ("embedding", names[3], names[9], 1.0, True),
    ("embedding", names[5], names[9], 0.94, True),
    ("embedding", names[6], names[9], 0.5, False),
  ]
  names = PAIRS.names
  pairs = [
    dict(zip(names, (found, "digits", one, "digits", *rest), strict=True))
    for found, one, *rest in pairs
  ]
  for file, rows, schema in (
    ("calibration", lines, calibrate.CALIBRATION),
    ("pairs", pairs, PAIRS),
  ):
    pq.write_table(pa.Table.from_pylist(rows, schema), root / "out" / f"{file}.parquet")
  described = {"queries": {"encoder": ENCODER}, "precision": 0.99, "sample": 9}
  (root / "out" / "duplicates.json").write_text(json.dumps(described))
  return root / "out"


def _lines(page, attribute):
  """Texts of the cells of each row that has the attribute."""
  rows = re.findall(rf"<tr data-{attribute}=.*?</tr>", page, re.DOTALL)
  cells = [re.findall(r"<td.*?>(.*?)</td>", row, re.DOTALL) for row in rows]
  return [[html.unescape(re.sub(r"<.*?>", " ", cell)).split() for cell in row] for row in cells]


@pytest.fixture(scope="module")
def page(run, searched):
  out = run.parent / "report.html"
  call("jaxbench.report", run, f"--overlap={searched}", f"--out={out}")
  return out.read_text()


def test_the_numbers_are_those_of_the_records_and_the_search(page):
  lines = _lines(page, "overlap")
  assert [line[1][0].rstrip(",") for line in lines] == ["digits-clip", "digits-resnet"]
  for line in lines:
    assert line[2] == ["0.9300"]
    assert line[3][0] == "33.3"  # 20 of 60,
    assert (line[4], line[5], line[6][0]) == (["66.7"], ["50.0"], "100.0")
    assert line[7][0] == "+16.67"
    low = 100 * 0.0025 ** (1 / 20)  # Clopper-Pearson of 20 of 20.
    assert line[6][1] == f"{low:.1f}–100.0"
    assert line[7][1:] == [f"{(low - 50) / 3:+.2f}", "to", "+16.67"]
    assert line[8] == ["9.5e-07", "9.5e-07"]  # Half to the power of 20; one data set.
    assert line[9][0] == "+50.00"


def test_thresholds_and_duplicates_are_told(page):
  lines = _lines(page, "calibration")
  assert len(lines) == 3
  assert lines[1] == [
    *(["digits"], ["embedding"], ["36,", "9"], ["99.0"], ["99.5"], ["0.9300"]),
    *(["75.0", "70.0–80.0"], ["75.0"], ["75.0"], ["75.0"], ["75.0"]),
  ]
  assert lines[2][5] == ["none"]
  counts = {line[1][0]: line[2][0] for line in _lines(page, "duplicates")}
  assert counts == {"exact": "2", "perceptual": "0", "embedding": "3"}


def test_the_page_says_what_the_similarity_is_worth(page):
  assert "semantic similarity, not duplicates" in page
  assert "2310.09562" in page
  assert "all minus clean" in page
  assert "all minus clean, points" in page  # The plot.


def test_a_threshold_may_be_given(run, searched, tmp_path):
  report.write([run], tmp_path / "a.html", overlap=searched, overlap_threshold=2.0)
  (line, _) = _lines((tmp_path / "a.html").read_text(), "overlap")
  assert line[3][0] == "0.0"
  assert line[7][0] == "+0.00"


def test_what_was_not_searched_or_has_no_threshold_is_named(run, searched, tmp_path):
  for name in ("search.json", "matches.parquet"):
    (tmp_path / name).write_bytes((searched / name).read_bytes())
  report.write([run], tmp_path / "b.html", overlap=tmp_path)
  text = (tmp_path / "b.html").read_text()
  assert not _lines(text, "overlap")
  assert "gives one): digits</p>" in text


def test_thresholds_of_another_encoder_are_refused(run, searched, tmp_path):
  for file in searched.iterdir():
    if file.is_file():
      (tmp_path / file.name).write_bytes(file.read_bytes())
  described = {"queries": {"encoder": {"name": "other", "copies": True}}, "precision": 0.99}
  (tmp_path / "duplicates.json").write_text(json.dumps(described))
  with pytest.raises(errors.InputError, match="are of different encoders"):
    report.write([run], tmp_path / "c.html", overlap=tmp_path)


def test_examples_that_were_not_searched_are_one_clear_line(run, searched, tmp_path):
  table, _ = overlap.read_search(searched)
  buffer = io.BytesIO()
  pq.write_table(table.slice(1), buffer)
  (tmp_path / "matches.parquet").write_bytes(buffer.getvalue())
  (tmp_path / "search.json").write_bytes((searched / "search.json").read_bytes())
  with pytest.raises(errors.InputError, match="1 of 60 examples of digits were not searched"):
    report.write([run], tmp_path / "d.html", overlap=tmp_path, overlap_threshold=0.9)
