"""Leases between threads and processes, and of holders that have gone."""

import concurrent.futures
import itertools
import os
import subprocess
import sys
import time

import pytest
from etils import epath

from jaxbench.distributed import leases
from jaxbench.distributed.leases import LeaseLost, Leases
from jaxbench.storage import atomic


def _files(folder):
  return {name for name in atomic.listing(folder / "leases") if not name.endswith(".alive")}


def test_each_name_is_leased_by_one_of_many_who_try(tmp_path):
  names = [f"d-{number:06d}" for number in range(40)]
  everybody = [Leases(epath.Path(tmp_path)) for _ in range(8)]
  for one in everybody:
    one.__enter__()
  with concurrent.futures.ThreadPoolExecutor(8) as pool:
    taken = list(pool.map(lambda one: one.take(names, 40), everybody))
  assert sorted(itertools.chain(*taken)) == names
  for one in everybody:
    one.release()
  assert not list((tmp_path / "leases").iterdir())


def test_no_more_are_taken_than_asked_for(tmp_path):
  with Leases(epath.Path(tmp_path)) as one, Leases(epath.Path(tmp_path)) as two:
    assert one.take("abcd", 2) == ["a", "b"]
    assert two.take("abcd", 3) == ["c", "d"]
    assert one.take("abcd", 4) == []
    two.finish("c")
    assert one.finished() == {"c"}
    assert _files(tmp_path) == {"a.0", "b.0", "d.0", "c.done"}
  assert _files(tmp_path) == {"c.done"}


DIES = """
import os, sys
from etils import epath
from jaxbench.distributed.leases import Leases
leases = Leases(epath.Path(sys.argv[1]))
leases.__enter__()
leases.take(["a", "b"], 2)
leases.finish("a")
os.kill(os.getpid(), 9)
"""


def test_what_a_dead_process_of_this_machine_held_is_free_at_once(tmp_path):
  subprocess.run([sys.executable, "-c", DIES, tmp_path])
  assert "b.0" in _files(tmp_path)
  with Leases(epath.Path(tmp_path)) as alive:
    assert alive.take(["b"], 1) == ["b"]
    assert "b.1" in _files(tmp_path)
    alive.finish("b")
  assert _files(tmp_path) == {"a.done", "b.done"}  # Nothing is left of the first one's leases.


def _grow_old(folder, holder, seconds):
  file = folder / "leases" / f"{holder}.alive"
  then = time.time() - seconds
  os.utime(file, (then, then))


def test_a_host_without_signs_of_life_loses_its_leases_and_notices(tmp_path, monkeypatch):
  with Leases(epath.Path(tmp_path)) as slow:
    assert slow.take(["a", "b"], 2) == ["a", "b"]
    monkeypatch.setattr(leases, "_machine", lambda: "another")  # Its processes cannot be seen.
    with Leases(epath.Path(tmp_path)) as other:
      _grow_old(tmp_path, slow.holder, leases._EXPIRY - 10)
      assert other.take(["a"], 1) == []
      slow.require("a")
      _grow_old(tmp_path, slow.holder, leases._EXPIRY + 10)
      assert other.take(["a"], 1) == ["a"]
      with pytest.raises(LeaseLost):
        slow.require("a")
      slow.require("b")
      other.require("a")
      other.finish("a")
    assert _files(tmp_path) == {"a.done", "b.0"}


def test_a_living_host_goes_on_showing_it(tmp_path, monkeypatch):
  monkeypatch.setattr(leases, "_BEAT", 0.05)
  with Leases(epath.Path(tmp_path)) as alive:
    _grow_old(tmp_path, alive.holder, 1000)
    deadline = time.monotonic() + 10
    while time.time() - atomic.listing(tmp_path / "leases")[f"{alive.holder}.alive"] > 100:
      assert time.monotonic() < deadline
      time.sleep(0.05)


def test_clocks_of_hosts_do_not_matter(tmp_path, monkeypatch):
  """Only the store's clock is read, by the times of files."""
  with Leases(epath.Path(tmp_path)) as one:
    one.take(["a"], 1)
    monkeypatch.setattr(leases, "_machine", lambda: "another")
    monkeypatch.setattr(time, "time", lambda: 0.0)
    with Leases(epath.Path(tmp_path)) as two:
      assert two.take(["a"], 1) == []


def test_a_sign_of_life_from_tomorrow_holds_nothing_up(tmp_path, monkeypatch):
  """As a dead host leaves it whose clock was ahead, on a disk that takes times from hosts."""
  with Leases(epath.Path(tmp_path)) as dead:
    dead.take(["a"], 1)
    _grow_old(tmp_path, dead.holder, -3600)
    monkeypatch.setattr(leases, "_machine", lambda: "another")
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with Leases(epath.Path(tmp_path)) as other:
      assert other.take(["a"], 1) == []
      now[0] += leases._EXPIRY - 1
      assert other.take(["a"], 1) == []
      _grow_old(tmp_path, dead.holder, -3700)  # It lives after all.
      now[0] += 2
      assert other.take(["a"], 1) == []
      now[0] += leases._EXPIRY
      assert other.take(["a"], 1) == ["a"]


def test_a_file_from_tomorrow_makes_nobody_seem_dead(tmp_path, monkeypatch):
  with Leases(epath.Path(tmp_path)) as alive, Leases(epath.Path(tmp_path)) as ahead:
    alive.take(["a"], 1)
    _grow_old(tmp_path, ahead.holder, -3600)
    monkeypatch.setattr(leases, "_machine", lambda: "another")
    with Leases(epath.Path(tmp_path)) as other:
      assert other.take(["a"], 1) == []


def test_a_lease_whose_writer_was_stopped_before_the_first_byte_expires(tmp_path):
  with Leases(epath.Path(tmp_path)) as one:
    file = tmp_path / "leases" / "a.0"
    file.touch()
    assert one.take(["a"], 1) == []
    then = time.time() - leases._EXPIRY - 10
    os.utime(file, (then, then))
    assert one.take(["a"], 1) == ["a"]
