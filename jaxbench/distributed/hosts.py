"""Which of several hosts this is, and what keeps them independent of one another.

Hosts share the run's folder and nothing else. Index and count only say where a host begins to look
for work, and how much of it to take at once; a wrong one costs a little time and changes no row.
"""

import dataclasses
import functools
import itertools
import os
import pathlib
import re
import sys
import threading
import urllib.request
from collections.abc import Mapping, MutableMapping
from typing import Any

import jax

from jaxbench import errors

_JOIN_SECONDS = 300
_METADATA = "computeMetadata/v1/instance/attributes"
_BOUNDS = {1: "1,1,1", 2: "1,2,1", 4: "2,2,1", 8: "2,4,1"}  # How the chips of a host are arranged.
# The variables of index and count that engines give to what they start, levels inside one another
# from the outermost. Where several engines speak, the first of these started the process itself.
_ENGINES = (
  (("SKYPILOT_NODE_RANK", "SKYPILOT_NUM_NODES"),),
  (("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),),
  (("SLURM_PROCID", "SLURM_NTASKS"),),
  # Kubernetes tells pods of an indexed Job their index; launch/jobset.yaml declares the rest.
  (("JOBSET_JOB_INDEX", "JOBSET_JOBS"), ("JOB_COMPLETION_INDEX", "JOB_COMPLETIONS")),
)
_ALONE = {"SLURM_PROCID"}  # Without a count it is that of a batch script, of which there is one.


@dataclasses.dataclass(frozen=True)
class Host:
  """One of the processes that work on a run."""

  index: int = 0
  count: int = 1


def find(flag: str | None = None, environment: Mapping[str, str] = os.environ) -> Host:
  """The place of this process among the others.

  Args:
    flag: INDEX/COUNT; None asks SkyPilot, Open MPI, SLURM and its arrays, Kubernetes, a TPU slice.
    environment: variables of the process.

  Raises:
    InputError: the flag is no such thing; or an engine tells an index and nobody the count, so that
      each host would take itself for the only one.
  """
  if flag is not None:
    return _read(flag, f"--host={flag} must be INDEX/COUNT: of four hosts, 0/4 to 3/4")
  array = _array(environment)
  for levels in _ENGINES:
    there = [level for level in levels if level[0] in environment]
    if there and all(count in environment for _, count in there):
      return functools.reduce(_times, [_place(*level, environment) for level in there], array)
  if array.count > 1:
    return array
  host = _tpu(environment)
  if host.count == 1:
    _require_counts(environment)
  return host


def chips() -> int:
  """TPU chips of this machine; 0 where there are none."""
  devices = pathlib.Path("/dev")
  return len([*devices.glob("accel[0-9]*"), *devices.glob("vfio/[0-9]*")])


def separate(host: Host, chips: int, environment: MutableMapping[str, str] = os.environ) -> None:
  """On a TPU slice of several hosts, lets each use its own chips without waiting for the others.

  Call it before JAX has a backend. Variables that are set already are left alone.

  Args:
    host: this one.
    chips: of this machine.
    environment: variables of the process, to which some are added.
  """
  if host.count > 1 and chips in _BOUNDS:
    environment.setdefault("TPU_PROCESS_BOUNDS", "1,1,1")
    environment.setdefault("TPU_CHIPS_PER_PROCESS_BOUNDS", _BOUNDS[chips])
    environment.setdefault("TPU_VISIBLE_CHIPS", ",".join(map(str, range(chips))))


def join(address: str, host: Host, seconds: int = _JOIN_SECONDS) -> None:
  """Makes this process a part of one `jax.distributed` job, for slices that want it so.

  Call it before JAX has a backend.

  Args:
    address: HOST:PORT of the host with index 0, or "auto" on a TPU slice.
    host: this one.
    seconds: to wait for the others.

  If they do not come, the process ends with status 2: JAX would abort it, without a word on how to
  go on.

  Raises:
    InputError: the address is none, or JAX does not find the others.
  """
  if address != "auto" and not re.fullmatch(r".+:\d+", address):
    raise errors.InputError(f"--join={address} must be HOST:PORT of the first host, or auto")
  _tell(f"host {host.index} joins at {address} and waits for all {host.count} hosts, {seconds} s")
  ended = threading.Timer(seconds, _give_up, [address, host, seconds])
  ended.daemon = True
  ended.start()
  arguments: dict[str, Any] = {}
  if address != "auto":
    arguments = {"coordinator_address": address, "num_processes": host.count}
    arguments |= {"process_id": host.index, "cluster_detection_method": "deactivate"}
  try:
    jax.distributed.initialize(**arguments, initialization_timeout=seconds + 60)
  except (RuntimeError, ValueError) as error:
    raise errors.InputError(f"--join={address}: {str(error).splitlines()[0]}") from error
  finally:
    ended.cancel()


def _give_up(address: str, host: Host, seconds: int) -> None:
  _tell(
    f"--join={address}: not all {host.count} hosts have come within {seconds} s. Start the same "
    "command on each of them, or leave out --join: then none waits for another"
  )
  os._exit(2)


def _tell(message: str) -> None:
  print(f"jaxbench: {message}", file=sys.stderr, flush=True)


def _place(index: str, count: str, environment: Mapping[str, str]) -> Host:
  """What two variables say."""
  told = f"{environment[index]}/{environment[count]}"
  return _read(told, f"{index}/{count} is {told}: mend what sets them, or give --host=INDEX/COUNT")


def _read(text: str, otherwise: str) -> Host:
  """INDEX/COUNT; an InputError says `otherwise`."""
  match = re.fullmatch(r"(\d+)/(\d+)", text)
  if not match or int(match[1]) >= int(match[2]):
    raise errors.InputError(otherwise)
  return Host(int(match[1]), int(match[2]))


def _require_counts(environment: Mapping[str, str]) -> None:
  for index, count in itertools.chain(*_ENGINES):
    if index in environment and count not in environment and index not in _ALONE:
      raise errors.InputError(
        f"{index}={environment[index]} tells which host this is, and nothing of how many: set "
        f"{count} beside it, or give --host=INDEX/COUNT (--host=0/1 if it works alone)"
      )


def _times(outer: Host, inner: Host) -> Host:
  """Several tasks in each element of a job array."""
  return Host(outer.index * inner.count + inner.index, outer.count * inner.count)


def _array(environment: Mapping[str, str]) -> Host:
  """The element of a SLURM job array."""
  names = ("TASK_ID", "TASK_COUNT", "TASK_MIN", "TASK_STEP")
  task, count, first, step = (environment.get(f"SLURM_ARRAY_{name}") for name in names)
  if task is None or count is None:
    return Host()
  # An irregular list of elements has no step; any index will do.
  return Host((int(task) - int(first or 0)) // int(step or 1) % int(count), int(count))


def _tpu(environment: Mapping[str, str]) -> Host:
  """The worker of a TPU slice, or of several slices."""
  if not chips():
    return Host()
  worker = environment.get("TPU_WORKER_ID") or _metadata("agent-worker-number", environment)
  workers = (
    environment.get("TPU_PROCESS_ADDRESSES")
    or environment.get("TPU_WORKER_HOSTNAMES")
    or _metadata("worker-network-endpoints", environment)
  )
  if not (worker and worker.isdigit() and workers):
    return Host()
  slices = Host(
    int(environment.get("MEGASCALE_SLICE_ID", 0)), int(environment.get("MEGASCALE_NUM_SLICES", 1))
  )
  return _times(slices, Host(int(worker), len(workers.split(","))))


def _metadata(name: str, environment: Mapping[str, str]) -> str | None:
  """What Google's metadata server tells a machine about itself; None elsewhere."""
  server = environment.get("GCE_METADATA_HOST", "metadata.google.internal")
  request = urllib.request.Request(
    f"http://{server}/{_METADATA}/{name}", headers={"Metadata-Flavor": "Google"}
  )
  try:
    with urllib.request.urlopen(request, timeout=2) as answer:
      return answer.read().decode()
  except OSError:
    return None
