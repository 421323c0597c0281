import errno
import os
import secrets
import subprocess

import numpy as np
import pytest
import tenacity

from jaxbench import errors, records
from jaxbench.storage import atomic


def test_of_several_creations_the_first_counts(tmp_path):
  assert atomic.create(tmp_path / "a", b"one")
  assert not atomic.create(tmp_path / "a", b"two")
  assert atomic.create(tmp_path / "a", b"one")  # As after an answer that was lost.
  assert atomic.read(tmp_path / "a") == b"one"
  assert atomic.read(tmp_path / "b") is None
  assert set(atomic.listing(tmp_path)) == {"a"}
  atomic.remove(tmp_path / "a")
  atomic.remove(tmp_path / "a")
  assert atomic.listing(tmp_path) == atomic.listing(tmp_path / "b") == {}


def test_on_a_disk_without_links_the_first_counts_too(tmp_path, monkeypatch):
  def link(*_):
    raise OSError(errno.EPERM, "Operation not permitted")

  monkeypatch.setattr(os, "link", link)
  test_of_several_creations_the_first_counts(tmp_path)


@pytest.mark.parametrize(
  ("number", "tries"), [(errno.ESTALE, 3), (errno.EIO, 3), (errno.ENOSPC, 1), (errno.EACCES, 1)]
)
def test_what_passes_is_waited_out_and_what_does_not_is_told_at_once(
  number, tries, tmp_path, monkeypatch
):
  monkeypatch.setattr(tenacity.nap.time, "sleep", lambda seconds: None)
  replace, tried = os.replace, []

  def fail_twice(*arguments):
    tried.append(arguments)
    if len(tried) < 3:
      raise OSError(number, os.strerror(number))
    replace(*arguments)

  (tmp_path / "a").write_bytes(b"old")
  monkeypatch.setattr(os, "replace", fail_twice)
  if tries == 1:
    with pytest.raises(OSError, match=os.strerror(number)):
      atomic.write(tmp_path / "a", b"new")
  else:
    atomic.write(tmp_path / "a", b"new")
  assert len(tried) == tries
  assert (tmp_path / "a").read_bytes() == (b"old" if tries == 1 else b"new")
  assert len(list(tmp_path.iterdir())) == 1


@pytest.fixture
def disk(tmp_path):
  """A disk of 64 kB, and a function that makes it read-only; root may write where modes forbid."""
  folder = tmp_path / "disk"
  folder.mkdir()
  mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", folder]
  if subprocess.run(mount, capture_output=True).returncode:
    pytest.skip("only root may mount")
  yield folder, lambda: subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
  subprocess.run(["umount", folder], check=True)


RUN = {"identity": {"jaxbench": "1"}}


def _table(examples):
  shared = {"cell": "c", "model": "m", "data": "d", "perturbation": "clean"}
  numbers = np.arange(len(examples), dtype=np.int32)
  names = ("label", "clean_prediction", "prediction", "forwards", "backwards")
  return records.table(shared, {"example": examples} | dict.fromkeys(names, numbers))


def test_a_full_disk_harms_nothing_that_is_written(disk):
  folder, _ = disk
  store = records.Store(folder / "run", RUN)
  store.write("d", 0, [_table(["x"])])
  random = [secrets.token_hex(50) for _ in range(2000)]
  with pytest.raises(OSError, match="No space left"):
    store.write("d", 1, [_table(random)])
  assert records.read(folder / "run")["example"].to_pylist() == ["x"]
  assert len(list((folder / "run" / "records").iterdir())) == 1
  store.write("d", 1, [_table(["y"])])


@pytest.mark.parametrize("links", [True, False])
def test_on_a_full_disk_nothing_is_created_by_halves(links, disk, monkeypatch):
  """An empty lease would hold its block for two minutes."""
  folder, _ = disk
  if not links:
    monkeypatch.setattr(atomic, "_create", lambda *one: atomic._create_in_place(*one[:2]))
  with pytest.raises(OSError, match="No space left"):
    atomic.create(folder / "lease", secrets.token_bytes(100_000))
  assert not list(folder.iterdir())


def test_a_disk_that_becomes_read_only_is_one_line_and_harms_nothing(disk):
  folder, make_read_only = disk
  store = records.Store(folder / "run", RUN)
  store.write("d", 0, [_table(["x"])])
  make_read_only()
  with pytest.raises(OSError, match="Read-only file system"):
    store.write("d", 1, [_table(["y"])])
  with pytest.raises(errors.InputError, match="cannot be used: Read-only file system"):
    records.Store(folder / "other", RUN)
  assert records.read(folder / "run")["example"].to_pylist() == ["x"]
