"""tpu_pod.sh and slurm.sbatch, with stand-ins for gcloud and srun."""

import pathlib
import shutil
import signal
import subprocess
import sys
import time

import pytest
from references.cloud import Stubs

ROOT = pathlib.Path(__file__).parents[2]
POD = ("bash", ROOT / "launch/tpu_pod.sh", "--name=n", "--zone=z", "--type=v5litepod-16")
RUN = ("--", "--config=configs/quickstart.py", "--workdir=gs://b/run", "--config.models=a b")

# A slice that is there when it has been made; its workers end as `results` says, first line first.
GCLOUD = """
case "$*" in
  *"queued-resources describe"*) cat "{state}" 2> /dev/null || exit 1 ;;
  *"queued-resources create"*) echo ACTIVE > "{state}" ;;
  *"queued-resources delete"*) rm "{state}" ;;
  *"on_host.sh follow"*) echo "progress of worker 0" ;;
  *"on_host.sh result"*)
    result="$(head -n 1 "{results}")"; sed -i 1d "{results}"
    if [ "$result" = gone ]; then echo SUSPENDED > "{state}"; exit 255; fi
    printf '%b' "$result" ;;
esac
"""


@pytest.fixture
def cloud(tmp_path):
  stubs = Stubs(tmp_path)
  stubs.state, stubs.results = tmp_path / "state", tmp_path / "results"
  stubs.add("gcloud", GCLOUD.format(state=stubs.state, results=stubs.results))
  stubs.add("tar")
  return stubs


def _pod(cloud, *arguments):
  return cloud.run(*POD, *arguments, *RUN, JAXBENCH_POLL="0", TMPDIR=str(cloud.state.parent))


def _steps(calls):
  """What was done, in a word each."""
  words = ("create", "delete", "scp", "install", "start", "follow", "result")
  return [next(word for word in words if word in call) for call in calls if "describe" not in call]


ONE_RUN = ["scp", "install", "start", "follow", "result"]


def test_a_slice_is_made_the_run_started_on_all_workers_and_their_status_collected(cloud):
  cloud.results.write_text("exit 0 of w0\\nexit 0 of w1\\n\n")
  result = _pod(cloud, "--spot", "--delete")
  assert result.returncode == 0, result.stderr
  calls = cloud.calls("gcloud")
  assert _steps(calls) == ["create", *ONE_RUN, "delete"]
  assert "progress of worker 0\nexit 0 of w0\nexit 0 of w1\n" in result.stdout
  assert "--spot" in calls[1]
  assert "--runtime-version=v2-alpha-tpuv5-lite" in calls[1]
  assert all("--zone=z" in call for call in calls)
  for word in ("scp", "install", "start", "result"):
    assert "--worker=all" in next(call for call in calls if word in call)
  assert "--worker=0" in next(call for call in calls if "follow" in call)
  (start,) = [call for call in calls if "on_host.sh start" in call]
  assert r"--workdir=gs://b/run --config.models=a\ b" in start


def test_a_slice_that_is_there_is_used_and_stays(cloud):
  cloud.state.write_text("ACTIVE")
  cloud.results.write_text("exit 0 of w0\\n\n")
  result = _pod(cloud)
  assert _steps(cloud.calls("gcloud")) == ONE_RUN
  assert "the slice goes on costing" in result.stderr


@pytest.mark.parametrize("first", ["gone", r"exit 143 of w0\nexit 0 of w1\n"])
def test_after_a_preemption_the_run_is_submitted_again(first, cloud):
  cloud.results.write_text(f"{first}\nexit 0 of w0\\n\n")
  result = _pod(cloud)
  assert result.returncode == 0, result.stderr
  again = ["follow", "delete", "create", *ONE_RUN] if first == "gone" else ONE_RUN
  assert _steps(cloud.calls("gcloud")) == ["create", *ONE_RUN, *again]
  assert "asking for it again" in result.stderr


def test_a_connection_that_breaks_is_made_again(cloud):
  cloud.results.write_text("exit running of w0\\n\nexit 0 of w0\\n\n")
  assert _pod(cloud).returncode == 0
  assert _steps(cloud.calls("gcloud"))[-4:] == ["follow", "result"] * 2


def test_a_worker_that_fails_is_told_with_the_way_to_its_log(cloud):
  cloud.results.write_text("exit 0 of w0\\nexit 2 of w1\\n\n")
  result = _pod(cloud)
  assert result.returncode == 1
  assert "exit 2 of w1" in result.stdout
  assert "jaxbench/.run/log" in result.stderr


def test_a_dry_run_prints_every_command_and_runs_none(cloud):
  result = _pod(cloud, "--dry-run", "--delete")
  assert result.returncode == 0, result.stderr
  printed = [line for line in result.stdout.splitlines() if line.startswith("gcloud")]
  assert _steps(printed) == ["create", *ONE_RUN, "delete"]
  assert not cloud.calls()


@pytest.mark.parametrize(
  ("arguments", "message"),
  [
    (("--zone=z",), "bash launch/tpu_pod.sh --name"),
    ((*POD[2:], "--what", *RUN), "unknown option --what"),
    ((*POD[2:], "--", "--workdir=runs/mine"), "the workers of a slice share no disk"),
    ((*POD[2:4], "--type=v9-8", *RUN), "name it, --version"),
  ],
)
def test_bad_arguments_are_told_before_anything_is_done(arguments, message, cloud):
  result = cloud.run("bash", ROOT / "launch/tpu_pod.sh", *arguments)
  assert result.returncode in (1, 2)
  assert message in result.stderr
  assert not cloud.calls("gcloud")


def _checkout(folder, python):
  shutil.copytree(ROOT / "launch", folder / "launch")
  (folder / ".venv/bin").mkdir(parents=True)
  (folder / ".venv/bin/python").symlink_to(python)
  return folder


def test_a_worker_runs_on_when_the_connection_is_closed(tmp_path):
  stubs = Stubs(tmp_path)
  stubs.add("python", 'echo "working: $*"; sleep 0.5; exit 3')
  host = ("bash", _checkout(tmp_path / "check out", stubs.bin / "python") / "launch/on_host.sh")
  venv = {"JAXBENCH_VENV": str(tmp_path / "check out/.venv")}
  stubs.run(*host, "start", "--flag=a b", **venv)
  assert stubs.run(*host, "result", **venv).stdout.startswith("exit running of ")
  assert stubs.run(*host, "follow").stdout == "working: -m jaxbench --flag=a b\n"
  assert stubs.run(*host, "result").stdout.startswith("exit 3 of ")


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
  checkout = _checkout(folder / "checkout", stubs.bin / "python")
  environment = {
    "PATH": f"{stubs.bin}:/usr/bin:/bin",
    "SLURM_SUBMIT_DIR": str(checkout),
    "SLURM_JOB_ID": "7",
    "SLURM_ARRAY_JOB_ID": "5",
    "SLURM_ARRAY_TASK_ID": "2",
  }
  script = checkout / "launch/slurm.sbatch"
  return subprocess.Popen(
    ["bash", script, "--flag=a b"],
    env=environment,
    cwd="/",
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  )


@pytest.mark.parametrize("status", [0, 2])
def test_the_batch_job_ends_as_its_tasks_do(status, tmp_path):
  stubs = Stubs(tmp_path)
  stubs.add("python")
  process = _batch(stubs, tmp_path, f"import sys; sys.exit({status})")
  process.communicate()
  assert process.returncode == status
  (call,) = stubs.calls("srun")
  assert call == "srun --kill-on-bad-exit=0 .venv/bin/python -m jaxbench --flag=a b"
  assert not stubs.calls("scontrol")


def test_a_signal_reaches_the_tasks_and_the_job_asks_to_be_queued_again(tmp_path):
  stubs = Stubs(tmp_path)
  stubs.add("python")
  process = _batch(stubs, tmp_path, STOPS)
  assert process.stdout.readline() == "up\n"
  time.sleep(0.1)
  process.send_signal(signal.SIGTERM)
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


def test_shellcheck_has_nothing_to_say():
  scripts = [*ROOT.glob("launch/*.sh"), ROOT / "launch/slurm.sbatch"]
  checker = shutil.which("shellcheck") or pathlib.Path(sys.executable).with_name("shellcheck")
  result = subprocess.run(
    [checker, "-x", *scripts], cwd=ROOT / "launch", capture_output=True, text=True
  )
  assert not result.stdout
  assert result.returncode == 0, result.stderr
