"""slurm.sbatch: with stand-ins for srun and others, and (`-m slow`) on a real SLURM."""

import signal
import subprocess
import sys
import time

import pytest
from references import slurm
from references.cloud import Stubs, checkout
from references.command import ROOT

from jaxbench import records

SRUN = 'echo $$ > "{folder}/pid"; exec {python} -c "{code}"'
STOPS = """
import signal, sys, time
signal.signal(15, lambda *_: sys.exit(143))
print('up', flush=True)
time.sleep(50)
"""


def _batch(stubs, folder, code):
  stubs.add("srun", SRUN.format(python=sys.executable, code=code, folder=folder))
  stubs.add("scontrol")
  stubs.add("scancel", f'kill -TERM "$(cat "{folder}/pid")"')
  place = checkout(folder / "checkout", stubs.bin / "python")
  environment = {
    "PATH": f"{stubs.bin}:/usr/bin:/bin",
    "SLURM_SUBMIT_DIR": str(place),
    "SLURM_JOB_ID": "7",
    "SLURM_ARRAY_JOB_ID": "5",
    "SLURM_ARRAY_TASK_ID": "2",
  }
  return subprocess.Popen(
    ["bash", place / "launch/slurm.sbatch", "--flag=a b"],
    env=environment,
    cwd="/",
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  )


@pytest.mark.parametrize("status", [0, 2, 143])
def test_the_batch_job_ends_as_its_tasks_do(status, tmp_path):
  stubs = Stubs(tmp_path)
  stubs.add("python")
  process = _batch(stubs, tmp_path, f"import sys; sys.exit({status})")
  process.communicate()
  assert process.returncode == status
  (call,) = stubs.calls("srun")
  assert call == "srun --kill-on-bad-exit=0 .venv/bin/python -m jaxbench --flag=a b"
  assert not stubs.calls("scontrol")


def test_before_the_time_is_up_the_tasks_stop_and_the_job_asks_to_be_queued_again(tmp_path):
  stubs = Stubs(tmp_path)
  stubs.add("python")
  process = _batch(stubs, tmp_path, STOPS)
  assert process.stdout.readline() == "up\n"
  time.sleep(0.1)
  process.send_signal(signal.SIGUSR1)
  process.communicate(timeout=20)
  assert stubs.calls("scancel") == ["scancel --signal=TERM 5_2.0"]
  assert stubs.calls("scontrol") == ["scontrol requeue 5_2"]


def test_a_batch_job_without_an_installation_says_how_to_get_one(tmp_path):
  stubs = Stubs(tmp_path)
  stubs.add("python", "exit 1")
  process = _batch(stubs, tmp_path, "")
  _, err = process.communicate()
  assert process.returncode == 1
  assert "bash launch/quickstart.sh" in err


real = pytest.mark.skipif(bool(slurm.lacking()), reason=slurm.lacking())

# In place of jaxbench: tells its place, and works for long unless it was queued again.
WORKER = """
import os, signal, sys, time
from jaxbench.distributed import hosts
host = hosts.find()
def stop(*_):
  print(f"{host.index}/{host.count} stops", flush=True)
  sys.exit(143)
signal.signal(signal.SIGTERM, stop)
print(f"{host.index}/{host.count} starts", flush=True)
time.sleep(0 if "SLURM_RESTART_COUNT" in os.environ else 500)
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
  with slurm.cluster(tmp_path_factory.mktemp("slurm")) as one:
    yield one


@pytest.fixture
def folder(tmp_path):
  """A checkout whose Python runs the worker."""
  (tmp_path / "worker.py").write_text(WORKER)
  python = tmp_path / "python"
  python.write_text(f'#!/bin/sh\n[ "$1" = -c ] || exec {sys.executable} {tmp_path}/worker.py\n')
  python.chmod(0o755)
  return checkout(tmp_path / "checkout", python)


def _until(file, text):
  end = time.monotonic() + 60
  while not (file.exists() and text in file.read_text()):
    assert time.monotonic() < end, file.exists() and file.read_text()
    time.sleep(0.2)


def _submit(cluster, folder, *options):
  script = folder / "launch/slurm.sbatch"
  return cluster.submit(*options, script, cwd=folder, PYTHONPATH=str(ROOT))


@pytest.mark.slow
@real
def test_the_time_limit_of_an_array_requeues_each_element_and_no_other(cluster, folder):
  job = _submit(cluster, folder, "--array=3-5:2", "--time=1", "--signal=B:USR1@55")
  logs = {task: folder / f"slurm-{job}_{task}.out" for task in (3, 5)}
  for index, log in enumerate(logs.values()):
    _until(log, f"{index}/2 starts")
  jobs = cluster.wait(job, "COMPLETED", seconds=180)
  assert [one["Restarts"] for one in jobs] == ["1", "1"]
  for index, log in enumerate(logs.values()):
    told = [line for line in log.read_text().splitlines() if line.startswith(f"{index}/2 ")]
    assert told == [f"{index}/2 {word}" for word in ("starts", "stops", "starts")]


@pytest.mark.slow
@real
def test_a_job_of_several_tasks_that_is_cancelled_stays_so(cluster, folder):
  job = _submit(cluster, folder, "--nodes=1", "--ntasks-per-node=2")
  log = folder / f"slurm-{job}.out"
  for index in range(2):
    _until(log, f"{index}/2 starts")
  cluster.run("scancel", job)
  (one,) = cluster.wait(job, "CANCELLED")
  assert one["Restarts"] == "0"
  for index in range(2):
    _until(log, f"{index}/2 stops")
  time.sleep(5)
  assert cluster.jobs(job)[0]["JobState"] == "CANCELLED"


@pytest.mark.slow
@real
def test_an_element_that_is_cancelled_leaves_the_others_at_work(cluster, folder):
  job = _submit(cluster, folder, "--array=0-1")
  for task in range(2):
    _until(folder / f"slurm-{job}_{task}.out", "starts")
  cluster.run("scancel", f"{job}_1")
  cluster.wait(f"{job}_1", "CANCELLED")
  assert cluster.jobs(f"{job}_0")[0]["JobState"] == "RUNNING"
  cluster.run("scancel", job)
  cluster.wait(job, "CANCELLED")


@pytest.mark.slow
@real
def test_a_site_that_preempts_with_the_jobs_signal_has_it_queued_again(cluster, folder):
  job = _submit(cluster, folder, "--exclusive")
  _until(folder / f"slurm-{job}.out", "0/1 starts")
  urgent = cluster.submit("--partition=high", "--exclusive", "--wrap=true", cwd=folder)
  cluster.wait(urgent, "COMPLETED")
  (one,) = cluster.wait(job, "COMPLETED", seconds=240)  # SLURM waits for two minutes first.
  assert one["Restarts"] == "1"


@pytest.mark.slow
@real
def test_the_elements_of_an_array_share_a_run(cluster, tmp_path):
  run = tmp_path / "run"
  flags = [
    "--config=configs/quickstart.py",
    f"--workdir={run}",
    "--config.models=digits-resnet",
    "--config.corruptions.names=contrast",
    "--config.attacks.names=fgsm",
    "--config.limit=16",
    "--config.block=4",
  ]
  environment = {"JAXBENCH_VENV": sys.prefix, "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT)}
  output = ("--array=0-1", f"--output={tmp_path}/%a.log")
  job = cluster.submit(*output, ROOT / "launch/slurm.sbatch", *flags, cwd=ROOT, **environment)
  cluster.wait(job, "COMPLETED", seconds=300)
  assert "host 1 of 2 is done" in (tmp_path / "1.log").read_text()
  rows = records.read(run)
  keys = list(zip(rows["cell"].to_pylist(), rows["example"].to_pylist(), strict=True))
  assert len(keys) == len(set(keys)) > 0
  assert rows.num_rows % 16 == 0
  assert (run / "report.html").exists()
