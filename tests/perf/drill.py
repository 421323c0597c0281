"""Runs whose processes are killed, and runs of many processes: each must have the rows of one.

  python tests/perf/drill.py [--places=disk,gs,s3] [--hosts=1,2,4,8] [--kills=20]

Each place is on this machine: a folder; a bucket of gs:// that lets an object change once a second,
as Google's do; moto's s3:// (pip install "moto[server]" s3fs). First a run by each number of
processes, in blocks of four examples; then so many SIGKILLs at random moments, each run continued
by another number of processes. Ends with an error if a process ends otherwise than it should, or a
row is missing, doubled, or another.
"""

import contextlib
import logging
import os
import pathlib
import random
import sys
import tempfile
import time
from collections.abc import Iterator

import fsspec
import pyarrow as pa
from absl import app, flags

sys.path.append(str(pathlib.Path(__file__).parents[1]))
from references import bucket
from references.command import start

from jaxbench import records

_PLACES = flags.DEFINE_list("places", ["disk", "gs", "s3"], "Where runs lie.")
_HOSTS = flags.DEFINE_list("hosts", ["1", "2", "4", "8"], "Processes of a run that nobody kills.")
_KILLS = flags.DEFINE_integer("kills", 20, "In each place.")
_SEED = flags.DEFINE_integer("seed", None, "Of the moments; by default the time.")
_RUN = (
  "--config=configs/quickstart.py",
  "--config.models=digits-resnet",
  "--config.corruptions.names=gaussian_noise",
  "--config.corruptions.severities=1,3,5",
  "--config.attacks.names=",
  "--config.limit=96",
  "--config.block=4",
  "--config.slots=2",
)


@contextlib.contextmanager
def _disk(folder: pathlib.Path) -> Iterator[str]:
  yield str(folder / "disk")


@contextlib.contextmanager
def _gs(folder: pathlib.Path) -> Iterator[str]:
  del folder
  with bucket.serve() as server:
    server.pause = 1.0
    os.environ["STORAGE_EMULATOR_HOST"] = f"http://localhost:{server.server_port}"
    os.environ["GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT"] = "false"
    yield "gs://bucket"
    print(f"gs: {server.refused:,} changes refused, of {server.changes.total():,}")


@contextlib.contextmanager
def _s3(folder: pathlib.Path) -> Iterator[str]:
  from moto.server import ThreadedMotoServer

  del folder
  logging.getLogger("werkzeug").setLevel(logging.ERROR)
  server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
  server.start()
  host, port = server.get_host_and_port()
  os.environ["AWS_ENDPOINT_URL"] = f"http://{host}:{port}"
  os.environ |= {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
  os.environ["AWS_DEFAULT_REGION"] = "us-east-1"
  fsspec.filesystem("s3").mkdir("bucket")
  yield "s3://bucket"
  server.stop()


def _start(run: str, count: int) -> list:
  return [start(*_RUN, f"--workdir={run}", f"--host={index}/{count}") for index in range(count)]


def _end(processes: list) -> None:
  for process in processes:
    _, told = process.communicate()
    if process.returncode:
      sys.exit(f"exit {process.returncode}: {told}")


def _check(run: str, expected: pa.Table) -> None:
  """Copies a run's folder, if it is not on the disk, and compares its rows."""
  with tempfile.TemporaryDirectory() as copy:
    store, path = fsspec.url_to_fs(run)
    store.invalidate_cache()
    store.get(f"{path}/", f"{copy}/", recursive=True)
    if not records.read(copy).equals(expected):
      sys.exit(f"{run} has other rows")
    ends = {file.suffix for file in pathlib.Path(copy, "leases").iterdir()}
    if not ends <= {".done", ".alive"}:  # The second are of the killed.
      sys.exit(f"{run} has leases left")


def _sweep(place: str, expected: pa.Table) -> None:
  for count in map(int, _HOSTS.value):
    began = time.monotonic()
    _end(_start(f"{place}/{count}", count))
    _check(f"{place}/{count}", expected)
    print(f"{place}: {count} processes, {time.monotonic() - began:.0f} s, same rows", flush=True)


def _drill(place: str, expected: pa.Table, seconds: float, draw: random.Random) -> None:
  kills = rounds = runs = 0
  while kills < _KILLS.value:
    run, rounds, over = f"{place}/killed-{runs}", rounds + 1, False
    processes = _start(run, draw.choice((1, 2, 4)))
    victims = draw.sample(processes, draw.randint(1, len(processes)))
    for victim in victims:
      time.sleep(draw.uniform(0, 1.5 * seconds))
      over |= victim.poll() == 0
      kills += victim.poll() is None
      victim.kill()
      victim.communicate()
      if victim.returncode not in (0, -9):
        sys.exit(f"{run}: exit {victim.returncode}")
    rest = [process for process in processes if process not in victims]
    _end(rest)
    if over or rest or kills >= _KILLS.value:
      _end(_start(run, draw.choice((1, 2, 4))))  # Writes the report, if nobody has.
      _check(run, expected)
      runs += 1
      print(f"{place}: {kills} kills in {runs} runs of {rounds} starts, same rows", flush=True)


def main(_) -> None:
  """Drills each place."""
  seed = time.time_ns() if _SEED.value is None else _SEED.value
  print(f"--seed={seed}", flush=True)
  draw = random.Random(seed)
  places = {"disk": _disk, "gs": _gs, "s3": _s3}
  with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    _end(_start(f"{folder}/warm", 1))  # Compiles.
    began = time.monotonic()
    _end(_start(f"{folder}/alone", 1))
    seconds, expected = time.monotonic() - began, records.read(folder / "alone")
    print(f"one process takes {seconds:.0f} s for {len(expected)} rows", flush=True)
    for each in _PLACES.value:
      with places[each](folder) as place:
        _sweep(place, expected)
        _drill(place, expected, seconds, draw)


if __name__ == "__main__":
  app.run(main)
