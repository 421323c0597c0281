"""Folders of runs, damaged by hand: what is said, how it goes on, and that nothing is lost.

Each is read by the report, which names the file, and then continued, which ends with the same rows.
"""

import os
import pathlib
import random
import shutil
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from etils import epath

from jaxbench import config, errors, plan, records, report
from jaxbench.evaluate import runner
from jaxbench.records import parts
from jaxbench.storage import atomic, damage

SETTINGS = config.checked(
  config.Config(
    models=("digits-resnet",),
    data=("digits",),
    corruptions=config.Corruptions(names=("gaussian_noise",), severities=(3,)),
    limit=8,
    slots=4,
    block=4,
  )
)


def _run(workdir, settings=SETTINGS):
  runner.run(settings, plan.make(settings), workdir)
  return records.read(workdir)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
  workdir = tmp_path_factory.mktemp("finished") / "run"
  return workdir, _run(workdir)


def _only(pattern):
  """The first file of a run that fits."""
  return lambda run: sorted(run.glob(pattern))[0]


PART, SESSION, LOG = (_only(one) for one in ("records/*.parquet", "sessions/*", "logs/*"))


def _at(name):
  return lambda run: run / name


def _cut(content):
  return content[: 2 * len(content) // 5]  # Within a line of a log that has two of one length.


def _flipped(content):
  return content[:40] + bytes([content[40] ^ 1]) + content[41:]


def _text(_):
  return b"<html>404</html>\n"


def _table(**columns):
  sink = pa.BufferOutputStream()
  pq.write_table(pa.table(columns), sink)
  return lambda _: sink.getvalue().to_pybytes()


def _is(content):
  return lambda _: content


# Which file, what becomes of its content, and what of the message tells the damage.
READABLE = None  # The report needs no such file.
DAMAGES = {
  "part, empty": (PART, _is(b""), "Parquet file size is 0 bytes"),
  "part, truncated": (PART, _cut, "Parquet magic bytes not found"),
  "part, text": (PART, _text, "Parquet"),
  "part, a bit": (PART, _flipped, "damaged"),
  "part, zeros": (PART, lambda content: bytes(len(content)), "Parquet magic bytes not found"),
  "part, another table": (PART, _table(a=[1]), "no column 'example'"),
  "part, some columns": (PART, _table(example=["a"]), "no column 'cell'"),
  "stray parquet": (_at("records/summary.parquet"), _table(a=[1]), "no run has named it"),
  "stray text": (_at("records/notes.parquet"), _text, "no run has named it"),
  "stray other file": (_at("records/notes.txt"), _text, READABLE),
  "run.json, empty": (_at("run.json"), _is(b""), "it is empty"),
  "run.json, truncated": (_at("run.json"), _cut, "no JSON"),
  "run.json, another's": (_at("run.json"), _is(b"[]"), "it has no 'identity'"),
  "run.json, no text": (_at("run.json"), _is(b"\xff\xfe\x00"), "no JSON"),
  "session, empty": (SESSION, _is(b""), "it is empty"),
  "session, garbage": (SESSION, _cut, "no JSON"),
  "session, another's": (_at("sessions/notes.json"), _is(b"{}"), "it has no 'started'"),
  "log, truncated": (LOG, _cut, "no JSON"),
  "log, another's": (_at("logs/notes.jsonl"), _is(b"3\n"), "it has no 'time'"),
  "slots, garbage": (_at("slots.json"), _text, READABLE),
  "slots, another's": (_at("slots.json"), _is(b'"many"'), READABLE),
  "lease, garbage": (_at("leases/digits-000000.0"), _text, READABLE),
  "lease, no text": (_at("leases/digits-000000.7"), _is(b"\xff\xfe"), READABLE),
  "lease, stray": (_at("leases/digits-000000.²"), _text, READABLE),
  "lease, far": (_at("leases/digits-000000.99999999999"), _is(b"a-b-c-d"), READABLE),
}


@pytest.mark.usual(
  "part, truncated",
  "part, a bit",
  "run.json, empty",
  "session, garbage",
  "log, truncated",
  "slots, garbage",
  "lease, garbage",
  "stray parquet",
)
@pytest.mark.parametrize(("which", "edit", "message"), DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_folder_is_told_and_continued(which, edit, message, finished, tmp_path, capsys):
  run = tmp_path / "run"
  shutil.copytree(finished[0], run)
  file = which(run)
  content = edit(file.read_bytes() if file.exists() else b"")
  file.write_bytes(content)
  if message is READABLE:
    report.write([run], tmp_path / "report.html")
  else:
    with pytest.raises(errors.InputError) as error:
      report.write([run], tmp_path / "report.html")
    assert str(error.value).startswith(f"{file} is damaged (")
    assert message in str(error.value)
    assert "\n" not in str(error.value)
  assert _run(run).equals(finished[1])
  report.write([run], tmp_path / "report.html")
  told = [line for line in capsys.readouterr().err.splitlines() if "is damaged (" in line]
  kept = [one.read_bytes() for one in (run / damage.FOLDER).glob("*")]
  if message is not READABLE or file.name == "slots.json":
    assert kept == [content]
    assert told[0].startswith(f"jaxbench: {file} is damaged (")
    assert len(told) == 1
  else:
    assert not kept
    assert not told


def test_a_lost_lease_that_nobody_can_read_is_free_after_a_while(finished, tmp_path):
  """As if the host that wrote it had been stopped there; the block is computed again."""
  run = tmp_path / "run"
  shutil.copytree(finished[0], run)
  PART(run).unlink()
  for name in ("digits-000000.3", "digits-000000.007", "digits-000000.²"):
    _write_old(run / "leases" / name, b"\xffnobody")
  assert _run(run).equals(finished[1])
  left = {file.name for file in (run / "leases").iterdir()}
  assert left == {"digits-000000.done", "digits-000001.done", "digits-000000.²"}


def _write_old(file: pathlib.Path, content: bytes):
  file.write_bytes(content)
  then = time.time() - 1000
  os.utime(file, (then, then))


@pytest.mark.slow
def test_a_run_whose_description_was_deleted_goes_on(finished, tmp_path):
  run = tmp_path / "run"
  shutil.copytree(finished[0], run)
  (run / "run.json").unlink()
  with pytest.raises(errors.InputError, match=r"not the --workdir of a run \(no run.json\)"):
    report.write([run], tmp_path / "report.html")
  PART(run).unlink()
  assert _run(run).equals(finished[1])
  report.write([run], tmp_path / "report.html")


@pytest.mark.parametrize("names", [["report.html"], ["records/mine.parquet"], ["records/a", "b"]])
@pytest.mark.parametrize("described", ["", "[]"])
def test_a_folder_of_something_else_is_left_alone(names, described, tmp_path):
  for name in names:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("precious")
  if described:
    (tmp_path / "run.json").write_text(described)
  before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
  with pytest.raises(errors.InputError, match="holds something else"):
    _run(tmp_path)
  assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before


def test_a_folder_that_lost_its_description_takes_no_other_run(finished, tmp_path):
  run = tmp_path / "run"
  shutil.copytree(finished[0], run)
  (run / "run.json").write_text("{")
  before = {file: file.read_bytes() for file in run.rglob("*") if file.is_file()}
  other = config.Config(models=("digits-resnet",), data=("digits",), limit=8, seed=1)
  with pytest.raises(errors.InputError, match=r"has lost its run.json, and has rows of cells"):
    _run(run, config.checked(other))
  assert {file: file.read_bytes() for file in run.rglob("*") if file.is_file()} == before


def test_rows_of_another_run_are_told_and_in_no_figure(finished, tmp_path, capsys):
  run = tmp_path / "run"
  other = config.Config(models=("digits-resnet",), data=("digits",), limit=8, seed=1, slots=4)
  _run(tmp_path / "other", config.checked(other))
  shutil.copytree(finished[0], run)
  shutil.copy(PART(tmp_path / "other"), run / "records")
  _run(run)
  (line,) = capsys.readouterr().err.splitlines()
  assert "has rows of 1 cells that are not asked for, as digits-resnet:supervised:digits:cl" in line
  (summary,) = report.write([run], tmp_path / "report.html")
  (expected,) = report.write([finished[0]], tmp_path / "expected.html")
  assert summary.equals(expected)


def test_parts_without_checksums_are_read_as_before(finished, tmp_path):
  run = tmp_path / "run"
  shutil.copytree(finished[0], run)
  for part in (run / "records").iterdir():
    pq.write_table(pq.read_table(part), part, compression="zstd")
  before = {part: part.read_bytes() for part in (run / "records").iterdir()}
  assert _run(run).equals(finished[1])
  assert {part: part.read_bytes() for part in (run / "records").iterdir()} == before


def test_a_disk_that_cannot_be_read_is_no_damage(finished, tmp_path, monkeypatch):
  """A part that another moment can read stays where it is."""
  run = tmp_path / "run"
  shutil.copytree(finished[0], run)
  read = atomic.read

  def fail(file):
    if file.suffix == ".parquet":
      raise OSError("the store does not answer")
    return read(file)

  monkeypatch.setattr(atomic, "read", fail)
  with pytest.raises(OSError, match="does not answer"):
    _run(run)
  monkeypatch.undo()
  assert not (run / damage.FOLDER).exists()
  assert records.read(run).equals(finished[1])


def test_flipped_bits_never_come_back_as_other_values(finished, tmp_path):
  """412 of 1,200 did, before pages had checksums; wherever one is, no other error comes."""
  written = PART(finished[0])
  content, expected = written.read_bytes(), parts.read(epath.Path(written), records.SCHEMA.names)
  end = len(content) - 8 - int.from_bytes(content[-8:-4], "little")  # Of the pages.
  file = epath.Path(tmp_path) / written.name
  draw, told = random.Random(0), 0
  for _ in range(300):
    flipped, place = bytearray(content), draw.randrange(len(content))
    flipped[place] ^= 1 << draw.randrange(8)
    file.write_bytes(flipped)
    try:
      found = parts.read(file, records.SCHEMA.names)
    except damage.Damaged:
      told += 1
    else:
      assert place >= end or found.equals(expected)
  assert told > 150
