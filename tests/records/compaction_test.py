"""Parts become one: no reader sees a row twice or not at all, whenever it looks."""

import numpy as np
import pyarrow as pa
import pytest

from jaxbench import records
from jaxbench.records import parts, rows, written

CELLS = ("clean", "fog", "pgd")


def _table(cell, examples, error=None):
  shared = {"cell": cell, "model": "m", "data": "d", "perturbation": cell, "error": error}
  numbers = np.array([int(name, 36) for name in examples], np.int32)
  names = ("label", "clean_prediction", "prediction", "forwards", "backwards")
  columns = {"example": examples, "found_by": [cell] * len(examples)}
  return records.table(shared, columns | dict.fromkeys(names, numbers))


@pytest.fixture
def store(tmp_path):
  """A run of two blocks, the first of five parts; a row was written twice."""
  store = records.Store(tmp_path, {"identity": {}})
  for cell in CELLS:
    store.write("d", 0, [_table(cell, ["c", "a"])])
  store.write("d", 0, [_table("fog", ["a"]), _table("clean", ["b"])])
  store.write("d", 0, [_table("clean", ["x"], error="truncated")])
  store.write("d", 1, [_table("pgd", ["e"])])
  return store


def test_a_block_is_one_part_with_the_same_rows(store, tmp_path):
  before, lost, counts = records.read(tmp_path), records.unreadable(tmp_path), store.counts()
  store.compact("d", 0)
  assert len(parts.files(tmp_path, parts.prefix("d", 0))) == 1
  assert len(parts.files(tmp_path)) == 2
  assert records.read(tmp_path).equals(before)
  assert records.unreadable(tmp_path).equals(lost)
  assert store.counts() == counts
  (part,) = parts.files(tmp_path, parts.prefix("d", 0))
  assert parts.read(part, ["cell"]).num_rows == 8  # Not nine.


def test_a_part_that_has_all_rows_already_stays(store, tmp_path):
  before = records.read(tmp_path)
  store.compact("d", 0)
  store.write("d", 0, [_table("fog", ["a"])])
  store.compact("d", 0)
  assert len(parts.files(tmp_path, parts.prefix("d", 0))) == 1
  assert records.read(tmp_path).equals(before)


def test_what_a_host_that_stood_still_removes_nobody_has_written_again(store, tmp_path):
  """Or it would remove the rows that another host has just made one part of."""
  before, seen = records.read(tmp_path), set()
  for _ in range(6):
    store.write("d", 0, [_table("fog", ["c", "a"])])  # By one who did not know.
    store.compact("d", 0)
    (part,) = parts.files(tmp_path, parts.prefix("d", 0))
    assert part.name not in seen
    seen.add(part.name)
  assert records.read(tmp_path).equals(before)


def test_an_image_that_only_one_host_could_read_keeps_its_verdict(store, tmp_path):
  store.write("d", 0, [_table("clean", ["x"])])
  before = records.read(tmp_path)
  store.compact("d", 0)
  assert records.read(tmp_path).equals(before)
  assert before["example"].to_pylist().count("x") == 1


def test_what_replaces_parts_is_there_before_they_go(store, tmp_path, monkeypatch):
  before = records.read(tmp_path)
  monkeypatch.setattr("jaxbench.storage.atomic.remove", lambda _: 1 / 0)
  with pytest.raises(ZeroDivisionError):
    store.compact("d", 0)
  assert len(parts.files(tmp_path, parts.prefix("d", 0))) == 6
  assert records.read(tmp_path).equals(before)


def test_a_damaged_part_is_left_for_who_continues(store, tmp_path):
  first = parts.files(tmp_path)[0]
  first.write_bytes(first.read_bytes()[:-9])
  store.compact("d", 0)
  assert len(parts.files(tmp_path, parts.prefix("d", 0))) == 5


def test_a_reader_that_misses_a_part_looks_again(store, tmp_path, monkeypatch):
  before, opened, pending = records.read(tmp_path), parts.opened, [0]

  def meanwhile(file):
    if pending and file.name.startswith(parts.prefix("d", 0)):
      result = opened(file)
      store.compact("d", pending.pop())  # After the first of six was read.
      return result
    return opened(file)

  monkeypatch.setattr(parts, "opened", meanwhile)
  assert rows.read(tmp_path).equals(before)
  assert not pending


def test_a_part_that_is_listed_and_never_found_is_an_error(store, tmp_path, monkeypatch):
  def gone(file):
    raise FileNotFoundError(file)

  monkeypatch.setattr(parts, "opened", gone)
  with pytest.raises(FileNotFoundError):
    records.read(tmp_path)


@pytest.mark.parametrize("seed", range(5))
def test_counting_by_columns_is_counting_by_sets(seed):
  draw = np.random.default_rng(seed)
  sets: dict[str, set[str]] = {}
  tables = []
  for _ in range(draw.integers(1, 6)):
    names = draw.choice(["clean", "fog", "pgd", "ice"], 50).tolist()
    examples = [f"image-{number}" for number in draw.integers(0, 30, 50)]
    tables.append(pa.table({"cell": pa.array(names).dictionary_encode(), "example": examples}))
    for cell, example in zip(names, examples, strict=True):
      sets.setdefault(cell, set()).add(example)
  assert written.by_cell(tables) == sets
  counted = written.count(tables)
  assert counted.rows == {cell: len(examples) for cell, examples in sets.items()}
  assert counted.examples == set.union(*sets.values())
