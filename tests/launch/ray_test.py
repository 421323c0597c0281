"""ray_blocks.py on a Ray of this machine, whose workers are killed."""

import importlib.util
import os
import signal
import subprocess
import sys
import time

import pytest
from references.command import ROOT, environment, parts, run

from jaxbench import records

SMALL = (
  "--config=configs/quickstart.py",
  "--config.models=digits-resnet",
  "--config.corruptions.names=contrast",
  "--config.corruptions.severities=5",
  "--config.attacks.names=pgd(steps=5)",
  "--config.attacks.epsilons=8/255",
  "--config.limit=24",
  "--config.block=2",
  "--config.slots=2",
)
needs_ray = pytest.mark.skipif(
  not importlib.util.find_spec("ray"), reason="ray is not installed: pip install jaxbench[ray]"
)


def _start(*flags):
  return subprocess.Popen(
    [sys.executable, ROOT / "launch/ray_blocks.py", *flags],
    cwd=ROOT,
    env=environment(RAY_USAGE_STATS_ENABLED="0", NPROC="8", XLA_FLAGS=""),
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  )


def _workers(workdir):
  """Processes by their sessions, whose names have machine, process and a number in the end."""
  return [int(file.stem.rsplit("-", 2)[1]) for file in (workdir / "sessions").glob("*.json")]


@pytest.mark.slow
@needs_ray
def test_a_killed_workers_block_is_retried_and_rows_are_as_of_one_process(tmp_path):
  run(*SMALL, f"--workdir={tmp_path / 'alone'}", exact=True)
  workdir = tmp_path / "run"
  process = _start(*SMALL, f"--workdir={workdir}", "--nodes=2")
  while parts(workdir) < 2 and process.poll() is None:
    time.sleep(0.1)
  killed = _workers(workdir)
  os.kill(killed[0], signal.SIGKILL)
  out, err = process.communicate(timeout=550)
  assert process.returncode == 0, err
  assert "12 of 12\n" in out
  assert f"report: {workdir}/report.html\n" in out
  assert records.read(workdir).equals(records.read(tmp_path / "alone"))
  assert set(_workers(workdir)) > set(killed)


@pytest.mark.slow
@needs_ray
def test_what_is_wrong_is_one_line(tmp_path):
  process = _start("--config=configs/train_digits.py", f"--workdir={tmp_path}")
  _, err = process.communicate(timeout=100)
  assert process.returncode == 2
  assert err == "jaxbench: Ray runs evaluations, with a --workdir that all nodes see\n"
