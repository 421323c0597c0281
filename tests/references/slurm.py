"""A SLURM of one node in a folder: Debian's daemons, started by root, on loopback."""

import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scancel", "scontrol")
_CONF = """
ClusterName=one
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=2
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
PreemptType=preempt/partition_prio
PreemptMode=CANCEL
SlurmctldParameters=preempt_send_user_signal
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=low Nodes={host} PriorityTier=1 GraceTime=30 Default=YES
PartitionName=high Nodes={host} PriorityTier=2 PreemptMode=OFF
"""


def lacking() -> str:
  """Why there can be none here; "" where there can."""
  if missing := [name for name in PROGRAMS if not shutil.which(name, path=_path())]:
    return f"{', '.join(missing)} not found: apt-get install slurm-wlm munge"
  return "" if os.geteuid() == 0 else "SLURM's daemons want root"


class Cluster:
  """Its commands, and what becomes of jobs."""

  def __init__(self, conf: pathlib.Path):
    self.environment = {"SLURM_CONF": str(conf), "PATH": _path()}

  def run(
    self, *command: str | pathlib.Path, cwd: pathlib.Path = pathlib.Path("/"), **more: str
  ) -> str:
    """What a command says that ends well."""
    environment = {**self.environment, "HOME": "/tmp", **more}
    done = subprocess.run(
      command, env=environment, cwd=cwd, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout

  def submit(self, *arguments: str | pathlib.Path, cwd: pathlib.Path, **more: str) -> str:
    """The number of a new job."""
    return self.run("sbatch", "--parsable", *arguments, cwd=cwd, **more).strip()

  def jobs(self, job: str) -> list[dict[str, str]]:
    """What is known of a job, or of the elements of an array."""
    text = self.run("scontrol", "--oneliner", "show", "job", job)
    lines = (line.split() for line in text.splitlines())
    return [dict(word.split("=", 1) for word in line if "=" in word) for line in lines]

  def wait(self, job: str, *states: str, seconds: int = 120) -> list[dict[str, str]]:
    """Returns when all elements are in one of the states."""
    end = time.monotonic() + seconds
    while not all(one["JobState"] in states for one in self.jobs(job)):
      assert time.monotonic() < end, self.jobs(job)
      time.sleep(0.2)
    return self.jobs(job)


@contextlib.contextmanager
def cluster(folder: pathlib.Path) -> Iterator[Cluster]:
  """Starts one, and ends it."""
  for name in ("state", "spool"):
    (folder / name).mkdir()
  conf = folder / "slurm.conf"
  host = socket.gethostname().split(".")[0]
  conf.write_text(_CONF.format(folder=folder, host=host, ports=(_port(), _port())))
  key = folder / "munge.key"
  key.write_bytes(os.urandom(128))
  key.chmod(0o600)
  one = Cluster(conf)
  munge = [
    *("munged", "--foreground", "--force", f"--key-file={key}", f"--socket={folder}/munge.socket"),
    *(f"--{name}-file={folder}/munge.{name}" for name in ("pid", "seed", "log")),
  ]
  with contextlib.ExitStack() as daemons:
    for command in (munge, ["slurmctld", "-D"], ["slurmd", "-D", "-N", host]):
      daemons.enter_context(_running(command, one.environment))
      time.sleep(1)
    end = time.monotonic() + 30
    while "idle" not in one.run("sinfo", "--noheader", "--format=%t"):
      assert time.monotonic() < end, (folder / "slurmd.log").read_text()
      time.sleep(0.2)
    yield one


@contextlib.contextmanager
def _running(command: list[str], environment: dict[str, str]) -> Iterator[None]:
  quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
  process = subprocess.Popen(command, env=environment, **quiet)
  try:
    yield
  finally:
    process.terminate()
    process.wait(20)


def _path() -> str:
  return f"{os.environ['PATH']}:/usr/sbin:/sbin"


def _port() -> int:
  with socket.socket() as one:
    one.bind(("127.0.0.1", 0))
    return one.getsockname()[1]
