"""Several processes on one run: rows as of one alone, whoever dies; many more in perf/drill.py."""

import collections
import socket
import time

import pytest
from references.command import parts, run, start

from jaxbench import records

SMALL = (
  "--config=configs/quickstart.py",
  "--config.models=digits-resnet",
  "--config.corruptions.names=gaussian_noise",
  "--config.corruptions.severities=5",
  "--config.attacks.names=pgd(steps=2)",
  "--config.attacks.epsilons=8/255",
  "--config.limit=29",
  "--config.block=4",
  "--config.slots=4",
)
CELLS, EXAMPLES = 3, 29


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
  workdir = tmp_path_factory.mktemp("reference") / "run"
  run(*SMALL, f"--workdir={workdir}")
  return records.read(workdir)


def _hosts(count, workdir, *more):
  return [
    start(*SMALL, *more, f"--workdir={workdir}", f"--host={index}/{count}")
    for index in range(count)
  ]


def _end(processes):
  """Output and errors of all, who end well."""
  ended = [process.communicate(timeout=300) for process in processes]
  for process, (_, err) in zip(processes, ended, strict=True):
    assert process.returncode == 0, err
  return ended


def _check(workdir, reference):
  """Nothing is lost, nothing is doubled, and all is as of one process."""
  rows = records.read(workdir)
  count = collections.Counter(
    zip(rows["cell"].to_pylist(), rows["example"].to_pylist(), strict=True)
  )
  assert len(count) == EXAMPLES * CELLS
  assert set(count.values()) == {1}
  assert rows.equals(reference)
  left = {file.suffix for file in (workdir / "leases").iterdir()}
  assert left <= {".done", ".alive", ".tmp"}  # Of the killed, what it was just writing too.


def _wait_for_parts(workdir, number, processes):
  while parts(workdir) < number and any(process.poll() is None for process in processes):
    time.sleep(0.02)


def _kill_some_of(count, killed, workdir):
  """Kills the last of several hosts, one after another; the others end the run."""
  processes = _hosts(count, workdir)
  for number, victim in enumerate(processes[count - killed :], start=1):
    _wait_for_parts(workdir, 2 * number, processes)
    victim.kill()
    victim.communicate()
  return _end(processes[: count - killed])


def test_of_two_hosts_one_is_killed_and_the_other_ends_the_run(reference, tmp_path):
  ((out, _),) = _kill_some_of(2, 1, tmp_path / "run")
  assert f"report: {tmp_path / 'run' / 'report.html'}" in out
  _check(tmp_path / "run", reference)


@pytest.mark.slow
@pytest.mark.parametrize("killed", [0, 2])
def test_of_four_hosts_some_are_killed_and_the_others_end_the_run(killed, reference, tmp_path):
  outputs = _kill_some_of(4, killed, tmp_path / "run")
  assert [out for out, _ in outputs[1:]] == [
    f"host {index} of 4 is done; host 0 writes the report\n" for index in range(1, 4 - killed)
  ]
  _check(tmp_path / "run", reference)


@pytest.mark.slow
def test_two_joined_hosts_give_the_same_rows(reference, tmp_path):
  with socket.socket() as free:
    free.bind(("localhost", 0))
    address = f"localhost:{free.getsockname()[1]}"
  processes = _hosts(2, tmp_path / "run", f"--join={address}")
  for _, err in _end(processes):
    assert f"joins at {address} and waits for all 2 hosts" in err
  _check(tmp_path / "run", reference)
  sessions = records.load_run(tmp_path / "run")["sessions"]
  assert sorted(session["host"]["index"] for session in sessions) == [0, 1]
