"""A run's folder in an object store, through gcsfs."""

import os
import subprocess
import sys

import pytest
from references import bucket

pytest.importorskip("gcsfs")

CHILD = """
import concurrent.futures, sys, time
import numpy as np
from etils import epath
from jaxbench import records
from jaxbench.distributed import leases
from jaxbench.storage import atomic
from jaxbench.records import parts

folder = epath.Path("gs://bucket/run")
assert atomic.listing(folder / "leases") == {}
run = {"identity": {"jaxbench": "1"}}
store, other = records.Store(folder, run), records.Store(folder, run)
names = [f"d-{number:06d}" for number in range(6)]
with leases.Leases(folder) as one, leases.Leases(folder) as two:
  with concurrent.futures.ThreadPoolExecutor(2) as pool:
    taken = list(pool.map(lambda host: host.take(names, 6), (one, two)))
  assert sorted(taken[0] + taken[1]) == names, taken
  for name in taken[0]:
    one.require(name)
    one.finish(name)
  assert two.finished() == set(taken[0])
assert {name.partition(".")[2] for name in atomic.listing(folder / "leases")} <= {"done"}

numbers = ("label", "clean_prediction", "prediction", "forwards", "backwards")
columns = dict.fromkeys(numbers, np.arange(1, dtype=np.int32))
cell = {"cell": "c", "model": "m", "data": "d", "perturbation": "clean"}
assert other.counts() == {}
store.write("d", 3, [records.table(cell, {"example": ["x"]} | columns)])
assert other.done("d", 3) == {"c": {"x"}}
other.write("d", 3, [records.table(cell, {"example": ["x"]} | columns)])
assert records.read(folder)["example"].to_pylist() == ["x"]
store.save_session("me", {"started": "now", "absent": [], "warnings": []})
assert records.load_run(folder)["sessions"] == [{"started": "now", "name": "me"}]
atomic.write(folder / "records" / "d-000009-0.parquet", b"")
assert other.done("d", 9) == {}
kept = [atomic.read(folder / "broken" / name) for name in atomic.listing(folder / "broken")]
assert kept == [b""]
for block in (3, 3, 9):
  store.compact("d", block)
assert records.read(folder)["example"].to_pylist() == ["x"]
print("written", len(parts.files(folder)))
"""


def _run_child(server, code=CHILD):
  environment = {
    **os.environ,
    "STORAGE_EMULATOR_HOST": f"http://localhost:{server.server_port}",
    "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",
  }
  return subprocess.run(
    [sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=120
  )


def test_leases_and_records_in_a_bucket():
  with bucket.serve() as server:
    process = _run_child(server)
    assert process.stdout == "written 1\n", process.stderr
    assert sum(name.startswith("run/records/") for name in server.objects) == 1


BEGIN = """
import concurrent.futures
from etils import epath
from jaxbench import records

run = {"identity": {"jaxbench": "1"}, "cells": []}
with concurrent.futures.ThreadPoolExecutor(16) as pool:
  stores = list(pool.map(lambda _: records.Store(epath.Path("gs://bucket/run"), run), range(16)))
assert all(store.run == run for store in stores)
"""


def test_sixteen_hosts_begin_a_run_in_a_store_that_takes_one_change_a_second():
  with bucket.serve() as server:
    server.pause = 1.0
    process = _run_child(server, BEGIN)
    assert process.returncode == 0, process.stderr
    assert server.changes["run/run.json"] == 1


FAILS = """
from etils import epath
from jaxbench.storage import atomic
try:
  atomic.write(epath.Path("gs://bucket/a"), b"new")
except OSError as error:
  print(error)
"""


def test_an_upload_that_fails_for_a_while_is_repeated():
  with bucket.serve() as server:
    server.failures = [503, 503]
    process = _run_child(server, FAILS)
    assert (process.stdout, process.returncode) == ("", 0), process.stderr
    assert server.objects["a"][0] == b"new"


def test_an_upload_that_is_forbidden_is_an_error_of_the_disk():
  with bucket.serve() as server:
    server.failures = [403]
    process = _run_child(server, FAILS)
    assert process.stdout.strip(), process.stderr
    assert not server.objects
