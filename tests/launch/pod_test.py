"""tpu_pod.sh and what it has workers do, with stand-ins for gcloud."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest
from references.cloud import Stubs, checkout

ROOT = pathlib.Path(__file__).parents[2]
POD = ("bash", ROOT / "launch/tpu_pod.sh", "--name=n", "--zone=z", "--type=v5litepod-16")
RUN = ("--", "--config=configs/quickstart.py", "--workdir=gs://b/run", "--config.models=a b")
END = "gcloud compute tpus queued-resources delete n --force --zone=z"

# A slice in the state that a file tells; its workers end as another says. `fails` names what does.
GCLOUD = """
if [ -s "{fails}" ] && grep -qf "{fails}" <<< "$*"; then echo "gcloud: no" >&2; exit 1; fi
case "$*" in
  *"queued-resources list"*) cat "{state}" 2> /dev/null ;;
  *"queued-resources create"*) printf 'WAITING_FOR_RESOURCES\\t' > "{state}" ;;
  *"queued-resources delete"*) rm "{state}" ;;
  *"on_host.sh follow"*) echo "progress of worker 0" ;;
  *"on_host.sh result"*) cat "{results}" ;;
esac
exit 0
"""


@pytest.fixture
def cloud(tmp_path):
  stubs = Stubs(tmp_path)
  stubs.state, stubs.results = tmp_path / "state", tmp_path / "results"
  stubs.fails = tmp_path / "fails"
  stubs.results.write_text("exit 0 of w0\nexit 0 of w1\n")
  files = {name: getattr(stubs, name) for name in ("state", "results", "fails")}
  stubs.add("gcloud", GCLOUD.format(**files))
  stubs.add("tar")
  return stubs


def _pod(cloud, *arguments):
  return cloud.run(*POD, *arguments, *RUN, TMPDIR=str(cloud.state.parent))


def _steps(calls):
  """What was done, in a word each."""
  words = ("create", "delete", "scp", "install", "start", "follow", "result", "tail")
  return [next(word for word in words if word in call) for call in calls if " list " not in call]


ONE_RUN = ["scp", "install", "start", "follow", "result"]


def test_a_run_is_started_on_all_workers_and_their_status_collected(cloud):
  cloud.state.write_text("ACTIVE\t\n")
  result = _pod(cloud, "--delete")
  assert result.returncode == 0, result.stderr
  calls = cloud.calls("gcloud")
  assert _steps(calls) == [*ONE_RUN, "delete"]
  assert "progress of worker 0\nexit 0 of w0\nexit 0 of w1\n" in result.stdout
  for word in ("scp", "install", "start", "result"):
    call = next(call for call in calls if word in call)
    assert "--node=all --worker=all --batch-size=all" in call
  assert "--node=0 --worker=0" in next(call for call in calls if "follow" in call)
  (start,) = [call for call in calls if "on_host.sh start" in call]
  assert r"--workdir=gs://b/run --config.models=a\ b" in start
  assert not result.stderr


def test_a_slice_that_is_not_there_is_asked_for_once(cloud):
  first = _pod(cloud, "--spot")
  (_, create) = cloud.calls("gcloud")
  assert create.startswith("gcloud compute tpus queued-resources create n --node-id=n")
  assert "--spot" in create
  assert "--runtime-version=v2-alpha-tpuv5-lite" in create
  second = _pod(cloud, "--spot")
  assert _steps(cloud.calls("gcloud")) == ["create"]
  for result, told in ((first, "is asked for"), (second, "is WAITING_FOR_RESOURCES")):
    assert result.returncode == 75
    assert f"slice n {told}; the same command goes on" in result.stderr
    assert END in result.stderr


@pytest.mark.parametrize("state", ["FAILED", "SUSPENDED"])
def test_a_slice_that_failed_says_why_and_is_not_made_again(state, cloud):
  cloud.state.write_text(f"{state}\tno more capacity in the zone\n")
  result = _pod(cloud)
  assert result.returncode == 1
  assert f"slice n is {state}: no more capacity in the zone; once it is deleted" in result.stderr
  assert END in result.stderr
  assert not _steps(cloud.calls("gcloud"))
  assert _pod(cloud, "--delete").returncode == 1
  assert _steps(cloud.calls("gcloud")) == ["delete"]


@pytest.mark.parametrize("step", ["scp", "install", "start "])
def test_a_step_that_fails_tells_the_cost_and_what_ends_it(step, cloud):
  cloud.state.write_text("ACTIVE\t\n")
  cloud.fails.write_text(step)
  result = _pod(cloud)
  assert result.returncode == 1
  assert "all workers, see above" in result.stderr
  assert END in result.stderr
  assert _steps(cloud.calls("gcloud"))[-1] == step.strip()
  _pod(cloud, "--delete")
  assert _steps(cloud.calls("gcloud"))[-1] == "delete"


def test_what_could_not_be_deleted_goes_on_costing_and_is_told(cloud):
  cloud.state.write_text("ACTIVE\t\n")
  cloud.fails.write_text("delete")
  assert END in _pod(cloud, "--delete").stderr


def test_when_gcloud_cannot_tell_nothing_is_made(cloud):
  cloud.fails.write_text("list")
  result = _pod(cloud)
  assert result.returncode == 1
  assert "cannot tell whether slice n exists" in result.stderr
  assert not _steps(cloud.calls("gcloud"))


@pytest.mark.parametrize("broken", [True, False])
def test_a_run_that_goes_on_without_the_connection_is_neither_stopped_nor_deleted(broken, cloud):
  cloud.state.write_text("ACTIVE\t\n")
  if broken:
    cloud.fails.write_text("follow\nresult\n")
  else:
    cloud.results.write_text("exit 0 of w0\nexit running of w1\n")
  result = _pod(cloud, "--delete")
  assert result.returncode == 75
  assert "the same command" in result.stderr
  assert END in result.stderr
  assert _steps(cloud.calls("gcloud")) == ONE_RUN


@pytest.mark.parametrize("status", ["2", "143"])
def test_a_worker_that_fails_is_told_with_the_end_of_the_logs(status, cloud):
  cloud.state.write_text("ACTIVE\t\n")
  cloud.results.write_text(f"exit 0 of w0\nexit {status} of w1\n")
  result = _pod(cloud)
  assert result.returncode == 1
  assert f"exit {status} of w1" in result.stdout
  assert _steps(cloud.calls("gcloud")) == [*ONE_RUN, "tail"]
  assert "a worker ended early" in result.stderr
  assert END in result.stderr


def _dry(cloud, *arguments):
  result = _pod(cloud, "--dry-run", *arguments)
  assert result.returncode == 0, result.stderr
  return [line for line in result.stdout.splitlines() if line.startswith("gcloud")]


def test_a_dry_run_prints_every_command_and_runs_none(cloud):
  assert _steps(_dry(cloud, "--delete")) == ["create", *ONE_RUN, "delete"]
  assert not cloud.calls()


@pytest.mark.slow
@pytest.mark.skipif(
  not shutil.which("gcloud"), reason="gcloud is not installed: cloud.google.com/sdk"
)
def test_the_real_gcloud_knows_every_command(cloud, tmp_path):
  commands = _dry(cloud, "--delete", "--spot", "--project=p")
  wrong = "gcloud compute tpus tpu-vm ssh n --zone=z --worker=all --batch-size=all --command=ls"
  file = tmp_path / "commands.json"
  listed = [{"command_string": one} for one in [*commands, END, wrong]]
  file.write_text(json.dumps(listed))
  told = subprocess.run(
    ["gcloud", "meta", "lint-gcloud-commands", f"--commands-file={file}"],
    env={**os.environ, "CLOUDSDK_CONFIG": str(tmp_path)},
    capture_output=True,
    text=True,
  )
  answers = json.loads(told.stdout)
  assert [one["success"] for one in answers] == [True] * (len(commands) + 1) + [False], answers


@pytest.mark.parametrize(
  ("arguments", "message"),
  [
    (("--zone=z",), "bash launch/tpu_pod.sh --name"),
    ((*POD[2:], "--what", *RUN), "unknown option --what"),
    ((*POD[2:], "--", "--workdir=runs/mine"), "the workers of a slice share no disk"),
    ((*POD[2:4], "--type=v9-8", *RUN), "name it, --version"),
    ((*POD[2:4], "--type=v7x-8", *RUN), "through GKE alone"),
  ],
)
def test_bad_arguments_are_told_before_anything_is_done(arguments, message, cloud):
  result = cloud.run("bash", ROOT / "launch/tpu_pod.sh", *arguments)
  assert result.returncode in (1, 2)
  assert message in result.stderr
  assert not cloud.calls("gcloud")


def test_a_worker_runs_on_when_the_connection_is_closed(tmp_path):
  stubs = Stubs(tmp_path)
  stubs.add("python", 'echo "working: $*"; sleep 0.5; exit 3')
  host = ("bash", checkout(tmp_path / "check out", stubs.bin / "python") / "launch/on_host.sh")
  venv = {"JAXBENCH_VENV": str(tmp_path / "check out/.venv")}
  stubs.run(*host, "start", "--flag=a b", **venv)
  assert stubs.run(*host, "result", **venv).stdout.startswith("exit running of ")
  assert stubs.run(*host, "follow").stdout == "working: -m jaxbench --flag=a b\n"
  assert stubs.run(*host, "result").stdout.startswith("exit 3 of ")


def test_shellcheck_has_nothing_to_say():
  scripts = [*ROOT.glob("launch/*.sh"), ROOT / "launch/slurm.sbatch"]
  checker = shutil.which("shellcheck") or pathlib.Path(sys.executable).with_name("shellcheck")
  result = subprocess.run(
    [checker, "-x", *scripts], cwd=ROOT / "launch", capture_output=True, text=True
  )
  assert not result.stdout
  assert result.returncode == 0, result.stderr
