import concurrent.futures
import os
import subprocess
import sys
import threading

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jaxbench import errors, records
from jaxbench.records import description
from jaxbench.storage import atomic

RUN = {"identity": {"jaxbench": "1", "config": {"seed": 0, "attacks": {"epsilons": [0.1]}}}}


def _table(cell: str, examples: list[str]):
  shared = {"cell": cell, "model": "m", "data": "d", "perturbation": "clean"}
  numbers = np.arange(len(examples), dtype=np.int32)
  names = ("label", "clean_prediction", "prediction", "forwards", "backwards")
  return records.table(shared, {"example": examples} | dict.fromkeys(names, numbers))


def test_rows_come_back_sorted_with_the_documented_schema(tmp_path):
  store = records.Store(tmp_path / "run", RUN)
  store.write("d", 1, [_table("b", ["y", "x"]), _table("a", ["z"])])
  store.write("d", 0, [_table("a", ["w"])])
  rows = records.read(tmp_path / "run")
  assert rows.schema == records.SCHEMA
  assert rows["example"].to_pylist() == ["w", "z", "x", "y"]
  assert rows["label"].to_pylist() == [0, 0, 1, 0]
  assert rows["epsilon"].null_count == 4
  assert store.done("d", 1) == {"a": {"z"}, "b": {"x", "y"}}
  assert store.done("d", 2) == {}
  counts = store.counts()
  assert {place: block.rows for place, block in counts.items()} == {
    ("d", 0): {"a": 1},
    ("d", 1): {"a": 1, "b": 2},
  }
  assert counts["d", 1].examples == {"x", "y", "z"}


def test_columns_without_a_value_share_their_memory_and_others_keep_their_nulls(tmp_path):
  store = records.Store(tmp_path / "run", RUN)
  table, psnr = _table("a", ["z", "x"]), pa.array([None, 2.5], pa.float32())
  store.write("d", 0, [table.set_column(table.schema.get_field_index("psnr"), "psnr", psnr)])
  store.write("d", 1, [_table("a", ["y"])])
  rows = records.read(tmp_path / "run")
  assert rows["psnr"].to_pylist() == [2.5, None, None]
  assert rows["prompts"].to_pylist() == [None] * 3
  assert rows.schema == records.SCHEMA
  flips, ssim, seen = (rows[name].chunk(0).buffers()[1] for name in ("flips", "ssim", "psnr"))
  assert flips.address == ssim.address != seen.address


def test_columns_can_be_chosen(tmp_path):
  store = records.Store(tmp_path / "run", RUN)
  store.write("d", 0, [_table("a", ["z", "x"])])
  assert records.read(tmp_path / "run", columns=["label"]).to_pydict() == {"label": [1, 0]}


def test_parts_are_plain_parquet(tmp_path):
  store = records.Store(tmp_path / "run", RUN)
  store.write("d", 0, [_table("a", ["z", "x"])])
  (part,) = (tmp_path / "run" / "records").iterdir()
  assert pq.read_table(part).num_rows == 2


ENDS_AFTER_READING = """
import os, sys
from jaxbench import records
store, statuses = records.Store(sys.argv[1], {"identity": {}}), []
for _ in range(30):
  if not (child := os.fork()):
    store.counts()
    sys.exit()
  statuses.append(os.waitpid(child, 0)[1])
print(sum(status == 0 for status in statuses))
"""


@pytest.mark.slow
def test_a_process_may_end_right_after_reading(tmp_path):
  """Threads of pyarrow that still held a part used to abort some of them."""
  store = records.Store(tmp_path / "run", {"identity": {}})
  store.write("d", 0, [_table("a", ["x"])])
  command = [sys.executable, "-c", ENDS_AFTER_READING, tmp_path / "run"]
  process = subprocess.run(command, capture_output=True, text=True, check=True)
  assert process.stdout == "30\n", process.stderr


def test_a_part_that_fails_half_way_leaves_nothing(tmp_path, monkeypatch):
  store = records.Store(tmp_path / "run", RUN)

  def full(_):
    raise OSError(28, "No space left on device")

  monkeypatch.setattr(os, "fsync", full)
  with pytest.raises(OSError, match="No space left"):
    store.write("d", 0, [_table("a", ["z"])])
  assert not list((tmp_path / "run" / "records").iterdir())
  assert not store.counts()


def test_what_was_absent_and_is_there_by_now_is_told_anew(tmp_path):
  lacking = {"identity": {"models": {"a": 1}}, "absent": [{"what": "b", "reason": "not here"}]}
  grown = {"identity": {"models": {"a": 1, "b": 2}}, "absent": []}
  records.Store(tmp_path / "run", lacking)
  assert [one["what"] for one in records.load_run(tmp_path / "run")["absent"]] == ["b"]
  records.Store(tmp_path / "run", grown)
  assert records.load_run(tmp_path / "run")["absent"] == []
  with pytest.raises(errors.InputError, match=r"models.b is 2 there and null here"):
    records.Store(tmp_path / "run", lacking)


def test_the_same_configuration_continues(tmp_path):
  records.Store(tmp_path / "run", RUN)
  assert records.Store(tmp_path / "run", RUN).run["identity"] == RUN["identity"]


def test_another_configuration_is_refused_with_the_difference_named(tmp_path):
  records.Store(tmp_path / "run", RUN)
  before = (tmp_path / "run" / "run.json").read_bytes()
  other = {"identity": {"jaxbench": "1", "config": {"seed": 0, "attacks": {"epsilons": [0.2]}}}}
  with pytest.raises(errors.InputError) as error:
    records.Store(tmp_path / "run", other)
  assert "config.attacks.epsilons is [0.1] there and [0.2] here" in str(error.value)
  assert (tmp_path / "run" / "run.json").read_bytes() == before


def test_of_hosts_that_begin_a_run_one_writes_its_description(tmp_path, monkeypatch):
  """The others wait for nothing, and take the folder of the first for their own."""
  described, written = description.described, []
  monkeypatch.setattr(atomic, "write", lambda file, *_, **__: written.append(file))
  together = threading.Barrier(12)

  def late(workdir):  # All look before anybody has written.
    found = described(workdir)
    if found is None:
      together.wait(10)
    return found

  monkeypatch.setattr(description, "described", late)
  with concurrent.futures.ThreadPoolExecutor(12) as pool:
    stores = list(pool.map(lambda _: records.Store(tmp_path / "run", RUN), range(12)))
  assert all(store.run == RUN for store in stores)
  assert not written


def test_what_another_host_has_just_begun_is_no_foreign_folder(tmp_path, monkeypatch):
  records.Store(tmp_path / "run", RUN)
  (tmp_path / "run" / "records").rmdir()  # As a listing shows it that was taken meanwhile.
  described, looks = description.described, []

  def early(workdir):
    looks.append(workdir)
    return described(workdir) if len(looks) > 1 else None

  monkeypatch.setattr(description, "described", early)
  assert records.Store(tmp_path / "run", RUN).run == RUN


def test_a_folder_of_something_else_is_refused(tmp_path):
  (tmp_path / "thesis.tex").write_text("precious")
  with pytest.raises(errors.InputError, match="holds something else"):
    records.Store(tmp_path, RUN)


def test_an_unwritable_place_is_refused(tmp_path):
  (tmp_path / "file").write_text("")
  with pytest.raises(errors.InputError, match="cannot be used: Not a directory"):
    records.Store(tmp_path / "file" / "run", RUN)


def test_a_folder_without_records_is_an_error(tmp_path):
  with pytest.raises(errors.InputError, match="no records there"):
    records.read(tmp_path)
