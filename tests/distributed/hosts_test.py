import http.server
import subprocess
import sys
import threading

import pytest

from jaxbench import errors
from jaxbench.distributed import hosts
from jaxbench.distributed.hosts import Host

PLACES = {
  "nothing": ({}, Host()),
  "SLURM tasks": ({"SLURM_PROCID": "2", "SLURM_NTASKS": "4"}, Host(2, 4)),
  "a SLURM array": (
    {
      "SLURM_ARRAY_TASK_ID": "14",
      "SLURM_ARRAY_TASK_COUNT": "4",
      "SLURM_ARRAY_TASK_MIN": "10",
      "SLURM_ARRAY_TASK_STEP": "2",
    },
    Host(2, 4),
  ),
  "two tasks in each element": (
    {
      "SLURM_PROCID": "1",
      "SLURM_NTASKS": "2",
      "SLURM_ARRAY_TASK_ID": "3",
      "SLURM_ARRAY_TASK_COUNT": "5",
    },
    Host(7, 10),
  ),
  "Open MPI": ({"OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "3"}, Host(1, 3)),
  "mpirun on the second of two SLURM nodes": (
    {
      "SLURM_PROCID": "1",
      "SLURM_NTASKS": "2",
      "OMPI_COMM_WORLD_RANK": "5",
      "OMPI_COMM_WORLD_SIZE": "8",
    },
    Host(5, 8),
  ),
  "a batch script of SLURM's, without srun": ({"SLURM_PROCID": "0"}, Host()),
  "SkyPilot": ({"SKYPILOT_NODE_RANK": "1", "SKYPILOT_NUM_NODES": "2"}, Host(1, 2)),
  "SkyPilot on SLURM": (
    {
      "SKYPILOT_NODE_RANK": "1",
      "SKYPILOT_NUM_NODES": "2",
      "SLURM_PROCID": "0",
      "SLURM_NTASKS": "1",
    },
    Host(1, 2),
  ),
  "an indexed Job": ({"JOB_COMPLETION_INDEX": "3", "JOB_COMPLETIONS": "4"}, Host(3, 4)),
  "a JobSet of two indexed Jobs": (
    {
      "JOBSET_JOB_INDEX": "1",
      "JOBSET_JOBS": "2",
      "JOB_COMPLETION_INDEX": "3",
      "JOB_COMPLETIONS": "4",
    },
    Host(7, 8),
  ),
  "a JobSet of three Jobs of a pod": (
    {"JOBSET_JOB_INDEX": "2", "JOBSET_JOBS": "3"},
    Host(2, 3),
  ),
}


@pytest.mark.parametrize(("environment", "expected"), PLACES.values(), ids=PLACES)
def test_the_launcher_tells_index_and_count(environment, expected, monkeypatch):
  monkeypatch.setattr(hosts, "chips", lambda: 0)
  assert hosts.find(None, environment) == expected
  assert hosts.find("5/6", environment) == Host(5, 6)


@pytest.mark.parametrize(
  ("environment", "lacking"),
  [
    ({"JOB_COMPLETION_INDEX": "0"}, "JOB_COMPLETIONS"),
    ({"JOB_COMPLETION_INDEX": "3", "JOBSET_JOB_INDEX": "0", "JOBSET_JOBS": "1"}, "JOB_COMPLETIONS"),
    ({"JOBSET_JOB_INDEX": "1"}, "JOBSET_JOBS"),
    ({"SKYPILOT_NODE_RANK": "1"}, "SKYPILOT_NUM_NODES"),
  ],
)
def test_an_index_without_a_count_is_refused_and_not_taken_for_the_only_host(
  environment, lacking, monkeypatch
):
  monkeypatch.setattr(hosts, "chips", lambda: 0)
  with pytest.raises(errors.InputError, match=f"set {lacking} beside it, or give --host"):
    hosts.find(None, environment)
  assert hosts.find("0/1", environment) == Host()


@pytest.mark.parametrize("index", ["4", "-1", "", "a"])
def test_numbers_that_are_no_place_are_named(index):
  environment = {"JOB_COMPLETION_INDEX": index, "JOB_COMPLETIONS": "4"}
  with pytest.raises(errors.InputError, match=f"INDEX/JOB_COMPLETIONS is {index}/4: mend"):
    hosts.find(None, environment)


@pytest.mark.parametrize("flag", ["4/4", "1", "-1/2", "a/b", "1/0", ""])
def test_a_bad_flag_is_refused(flag):
  with pytest.raises(errors.InputError, match="must be INDEX/COUNT"):
    hosts.find(flag, {})


class _Metadata(http.server.BaseHTTPRequestHandler):
  """As of the second worker of a slice of four."""

  def do_GET(self):
    name = self.path.rsplit("/", 1)[-1]
    known = {"agent-worker-number": "1", "worker-network-endpoints": "a:1:10.0.0.2,b,c,d"}
    good = self.headers["Metadata-Flavor"] == "Google" and name in known
    self.send_response(200 if good else 404)
    self.end_headers()
    self.wfile.write(known.get(name, "").encode())

  def log_message(self, *arguments):
    del arguments


@pytest.fixture
def metadata():
  with http.server.HTTPServer(("localhost", 0), _Metadata) as server:
    threading.Thread(target=server.serve_forever).start()
    yield {"GCE_METADATA_HOST": f"localhost:{server.server_port}"}
    server.shutdown()


def test_a_tpu_slice_tells_by_its_metadata_or_by_variables(metadata, monkeypatch):
  monkeypatch.setattr(hosts, "chips", lambda: 4)
  assert hosts.find(None, metadata) == Host(1, 4)
  several = {"MEGASCALE_SLICE_ID": "2", "MEGASCALE_NUM_SLICES": "3"}
  assert hosts.find(None, {**metadata, **several}) == Host(9, 12)
  variables = {"TPU_WORKER_ID": "0", "TPU_WORKER_HOSTNAMES": "a,b"}
  assert hosts.find(None, variables) == Host(0, 2)
  assert hosts.find(None, {**variables, "JOB_COMPLETION_INDEX": "0"}) == Host(0, 2)
  nobody = {"GCE_METADATA_HOST": "localhost:1"}
  assert hosts.find(None, nobody) == Host()


def test_hosts_of_a_slice_are_separated_before_jax_has_a_backend():
  environment = {"TPU_VISIBLE_CHIPS": "1"}
  hosts.separate(Host(1, 4), 4, environment)
  assert environment == {
    "TPU_PROCESS_BOUNDS": "1,1,1",
    "TPU_CHIPS_PER_PROCESS_BOUNDS": "2,2,1",
    "TPU_VISIBLE_CHIPS": "1",  # Somebody knows better.
  }
  for host, chips in ((Host(), 4), (Host(0, 2), 0)):
    untouched: dict[str, str] = {}
    hosts.separate(host, chips, untouched)
    assert not untouched


WATCH = """
import sys
import jaxbench.__main__ as command
from jax._src import xla_bridge
from jaxbench.distributed import hosts
def separate(host, chips):
  assert not xla_bridge.backends_are_initialized()
  print(host)
  sys.exit()
hosts.separate = separate
sys.argv[1:] = ["--config=configs/quickstart.py", f"--workdir={sys.argv[1]}", "--host=1/4"]
command.app.run(command.main, flags_parser=command.command_line.parse)
"""


def test_importing_and_parsing_leave_jax_without_a_backend(tmp_path):
  command = [sys.executable, "-c", WATCH, tmp_path / "run"]
  process = subprocess.run(command, capture_output=True, text=True)
  assert process.stdout == "Host(index=1, count=4)\n", process.stderr


JOIN = """
from jaxbench.distributed import hosts
hosts.join("localhost:1", hosts.Host(1, 2), seconds=1)
"""


def test_waiting_for_hosts_that_never_come_ends_with_the_remedy():
  process = subprocess.run([sys.executable, "-c", JOIN], capture_output=True, text=True)
  first, last = process.stderr.splitlines()
  assert first == "jaxbench: host 1 joins at localhost:1 and waits for all 2 hosts, 1 s"
  assert last.startswith("jaxbench: --join=localhost:1: not all 2 hosts have come within 1 s.")
  assert "leave out --join" in last
  assert process.returncode == 2


def test_an_address_without_port_is_refused():
  with pytest.raises(errors.InputError, match="must be HOST:PORT"):
    hosts.join("localhost", Host(0, 2))
