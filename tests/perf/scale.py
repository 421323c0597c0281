"""Scaling: strong and weak over processes here, and a model of what thousands of devices would do.

python tests/perf/scale.py [--steps=200] [--step_seconds=T] prints ratios and the model's table. Run
by hand on an idle machine of two cores or more; each process is given one core. The model takes the
step time, decoding rate and storage times measured here; --step_seconds replaces the first by that
of another device (seconds that one device takes for one gradient of one image).
"""

import io
import math
import os
import pathlib
import sys
import tempfile
import time

import numpy as np
from absl import app, flags
from PIL import Image

sys.path.append(str(pathlib.Path(__file__).parents[1]))
from references.command import start

from jaxbench import models
from jaxbench.distributed import leases
from jaxbench.records import logs
from jaxbench.storage import atomic

_STEPS = flags.DEFINE_integer("steps", 200, "Of the attack.")
_STEP_SECONDS = flags.DEFINE_float("step_seconds", None, "Of one device, for the model.")
_EXAMPLES, _BLOCK = 160, 8
_HOST_DEVICES = 8
_HOST_CORES = 96  # That decode on a host of accelerators.
_IMAGES, _GRADIENTS, _FLUSH_SECONDS = (
  50_000,
  1414,
  5.0,
)  # robust_clip's bound on its validation set.


def _run(workdir, hosts, examples):
  """The log of a run on so many cores."""
  arguments = (
    "--config=configs/quickstart.py",
    "--config.models=digits-clip-robust",
    "--config.prompts=simple",
    "--config.corruptions.names=",
    f"--config.attacks.names=apgd(steps={_STEPS.value})",
    "--config.attacks.epsilons=1/255",  # Nearly all survive, so that all blocks cost the same.
    f"--config.limit={examples}",
    f"--config.block={_BLOCK}",
    f"--config.slots={_BLOCK}",
    f"--workdir={workdir}",
  )
  processes = [
    start(
      *arguments,
      f"--host={index}/{hosts}",
      exact=True,
      preexec_fn=lambda core=index: os.sched_setaffinity(0, {core}),
    )
    for index in range(hosts)
  ]
  for process in processes:
    _, err = process.communicate()
    if process.returncode:
      sys.exit(err)
  return logs.read(workdir)


def _rate(lines):
  """Examples a second, from when all processes have ended a block (and so compiled) to the end."""
  first = {line["session"]: line["time"] for line in reversed(lines)}
  ready = max(first.values())
  return _BLOCK * sum(line["time"] > ready for line in lines) / (lines[-1]["time"] - ready)


def _measured_scaling(folder):
  _run(folder / "warm", 1, 2 * _BLOCK)  # Compiles.
  began = time.monotonic()
  lines = _run(folder / "one", 1, _EXAMPLES)
  startup = time.monotonic() - began - sum(line["seconds"] for line in lines[1:])
  both = _run(folder / "strong", 2, _EXAMPLES)
  more = _run(folder / "weak", 2, 2 * _EXAMPLES)
  one, strong, weak = (_rate(some) for some in (lines, both, more))
  print(f"1 process, {_EXAMPLES} examples: {one:.1f} a second")
  print(
    f"2 processes, {_EXAMPLES} examples: {strong:.1f} a second, {strong / one:.2f} times as many"
  )
  print(
    f"2 processes, {2 * _EXAMPLES} examples: {weak:.1f} a second, {weak / one:.2f} times as many"
  )
  # On a machine that others use too, the processors' own seconds are the better measure.
  alone, shared, twice = (_processor_seconds(some) for some in (lines, both, more))
  print(
    f"a block costs {alone:.2f} s of a core, {shared:.2f} and {twice:.2f} beside another process"
  )
  print(f"{startup:.0f} s from a command to its first block, programs compiled before, and its end")
  return alone / (_BLOCK * _STEPS.value), startup


def _processor_seconds(lines):
  """Of a block, but for the first of each process, which loads the model and programs."""
  first = {line["session"]: line for line in reversed(lines)}
  steady = [line["processor"] for line in lines if line not in first.values()]
  return float(np.mean(steady))


def _decoding_rate():
  """Images per second and core: JPEGs of ImageNet's usual size, to 224 pixels."""
  pixels = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
  image = Image.fromarray(pixels).resize((500, 375), Image.Resampling.BICUBIC)
  buffer = io.BytesIO()
  image.save(buffer, "JPEG", quality=90)
  preprocess, count = models.Preprocess(224), 100
  started = time.perf_counter()
  for _ in range(count):
    preprocess(np.asarray(Image.open(io.BytesIO(buffer.getvalue())).convert("RGB")))
  return count / (time.perf_counter() - started)


def _storage_seconds(folder):
  """Of a durable part of 100 kB, of a lease taken and finished, of a listing of 1,000 files."""
  folder.mkdir()
  content = os.urandom(100_000)
  times = [_time(lambda n=n: atomic.write(folder / f"{n}", content)) for n in range(50)]
  with leases.Leases(folder) as held:
    names = [f"d-{number:06d}" for number in range(50)]
    lease = _time(lambda: [held.finish(name) for name in held.take(names, 50)]) / 50
  for number in range(1000):
    (folder / f"f{number}").touch()
  return float(np.median(times)), lease, _time(lambda: atomic.listing(folder))


def _time(action):
  started = time.perf_counter()
  action()
  return time.perf_counter() - started


def _model(step, decoding, write, lease, startup):
  """Efficiency of N devices, by what limits it: see jaxbench/distributed/README.md."""
  print(f"{'devices':>8} {'hosts':>6} {'block':>6} {'hours':>8} {'efficiency':>10}  limit")
  for devices in (8, 64, 256, 512, 1024, 2048, 4096):
    hosts = devices // _HOST_DEVICES
    # Four blocks a host if they fill 64 slots a device; else as many as do, but one at least.
    four, one = math.ceil(_IMAGES / (4 * hosts)), math.ceil(_IMAGES / hosts)
    block = max(min(1024, four), min(64 * _HOST_DEVICES, one))
    blocks = math.ceil(_IMAGES / block)
    compute = block * _GRADIENTS * step / _HOST_DEVICES
    decode = block / (decoding * _HOST_CORES)
    flushes = math.ceil(compute / _FLUSH_SECONDS)
    seconds = max(compute, decode) + lease + min(flushes, block) * write
    ideal = _IMAGES * _GRADIENTS * step / devices
    total = math.ceil(blocks / hosts) * seconds + startup
    parts = {
      "whole blocks": math.ceil(blocks / hosts) * hosts / blocks,
      "decoding": decode / compute,
    }
    parts["startup"] = total / (total - startup)
    parts["storage"] = 1 + (lease + min(flushes, block) * write) / compute
    limit = max(parts, key=lambda name: parts[name])
    print(f"{devices:8,} {hosts:6,} {block:6,} {total / 3600:8.2f} {ideal / total:10.2f}  {limit}")


def main(_):
  """Measures, then extrapolates."""
  with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    step, startup = _measured_scaling(folder)
    write, lease, listing = _storage_seconds(folder / "storage")
  decoding = _decoding_rate()
  print(f"{1000 * step:.2f} ms a gradient of the digits' CLIP, one core")
  print(f"{decoding:.0f} images/s decoded by a core")
  print(f"{1000 * write:.1f} ms a part, {1000 * lease:.1f} ms a lease from taking to finishing, ")
  print(f"{1000 * listing:.1f} ms to list 1,000 files")
  print(f"{_IMAGES:,} images, {_GRADIENTS:,} gradients each, {_HOST_DEVICES} devices a host:")
  _model(_STEP_SECONDS.value or step, decoding, write, lease, startup)


if __name__ == "__main__":
  app.run(main)
