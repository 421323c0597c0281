"""Runs jaxbench on a Ray cluster: a worker on each node, blocks placed and retried by Ray.

ray job submit --working-dir=. -- python launch/ray_blocks.py --config=configs/imagenet_c.py \
  --workdir=gs://BUCKET/RUN --config.models=PATH --nodes=4 --gpus=8

A worker that dies is started again, and its block is too; the same command continues a run.
"""

import sys
from collections.abc import Sequence

import ray
from absl import app, flags
from ray.util import ActorPool

from jaxbench import __main__ as command  # Its flags.
from jaxbench import command_line, config, errors
from jaxbench.distributed import hosts

_NODES = flags.DEFINE_integer("nodes", 1, "Workers, each with all devices of its node.")
_GPUS = flags.DEFINE_integer("gpus", 0, "GPUs of a node.")
_TPUS = flags.DEFINE_integer("tpus", 0, "TPU chips of a node.")


class Worker:
  """A process on one of several nodes, with its models and programs."""

  def __init__(self, settings: config.Config, workdir: str, nodes: int):
    from jaxbench import devices, plan
    from jaxbench.evaluate import piecework

    devices.use_all_cores()
    hosts.separate(hosts.Host(0, nodes), hosts.chips())
    devices.use_compilation_cache(None)
    self._piecework = piecework.Piecework(settings, plan.make(settings), workdir)

  def run(self, block: tuple[str, int]) -> tuple[str, int]:
    """Writes the rows that a block lacks."""
    self._piecework.run(*block)
    return block


def run(settings: config.Config, workdir: str) -> None:
  """Has Ray run all blocks; then writes the report."""
  from jaxbench import plan, records, report
  from jaxbench.evaluate import piecework, provenance

  planned = plan.make(settings)
  store = records.Store(workdir, provenance.describe_run(settings, planned))
  store.retry(lambda session: True)  # No worker is there yet.
  ray.init(log_to_driver=False)
  actor = ray.remote(max_restarts=-1, max_task_retries=-1)(Worker)
  resources = {"TPU": _TPUS.value} if _TPUS.value else {}
  placed = actor.options(num_gpus=_GPUS.value, resources=resources, scheduling_strategy="SPREAD")
  nodes = _NODES.value
  pool = ActorPool([placed.remote(settings, workdir, nodes) for _ in range(nodes)])
  blocks = piecework.blocks(settings, planned)
  done = pool.map_unordered(lambda worker, block: worker.run.remote(block), blocks)
  for count, (data, number) in enumerate(done, start=1):
    print(f"block {number} of {data} is done, {count} of {len(blocks)}", flush=True)
  report.write([workdir], f"{workdir}/report.html")
  print(f"report: {workdir}/report.html")


def main(arguments: Sequence[str]) -> int:
  """Runs what the flags say; returns the exit status."""
  del arguments
  try:
    settings, workdir = command.asked(), flags.FLAGS.workdir
    if workdir is None or not isinstance(settings, config.Config):
      raise errors.InputError("Ray runs evaluations, with a --workdir that all nodes see")
    run(config.checked(settings), workdir)
  except errors.InputError as error:
    print(f"jaxbench: {getattr(error, 'cause', error)}", file=sys.stderr)  # A worker's, or here.
    return 2
  return 0


if __name__ == "__main__":
  app.run(main, flags_parser=command_line.parse)
