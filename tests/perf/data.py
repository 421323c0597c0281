"""Images per second from files to a model's pixels, against torch's DataLoader; run by hand.

  PYTHONPATH=tests python tests/perf/data.py [--workers=0,1,2] [--images=300]

Same JPEGs (scikit-learn's photographs at 500 pixels, as ImageNet has them), same Pillow decoding
and resizing, same machine, same run, taking turns; each number is the best of three, the start of
worker processes left out, their end counted. Above 1 ours is faster. Then threads that fill a cache
of decoded images and that read it (from the system's memory), the memory of a worker, and how long
the device waits for pixels in a clean evaluation of a ViT-B/32 (random weights) on the digits.
"""

import multiprocessing
import pathlib
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
from absl import app, flags
from PIL import Image
from sklearn import datasets

from jaxbench import data, devices, models
from jaxbench.blocks import cache
from jaxbench.models.weights import checkpoint

_WORKERS = flags.DEFINE_list("workers", ["0", "1", "2"], "Numbers of processes.")
_IMAGES = flags.DEFINE_integer("images", 300, "JPEGs read in a turn.")
_BATCH = 50
_TURNS = 3
_PREPROCESS = models.Preprocess(224)


class _Theirs:
  """The usual data set of image files, as a DataLoader takes it."""

  def __init__(self, files: list[pathlib.Path]):
    self._files = files

  def __len__(self) -> int:
    return len(self._files)

  def __getitem__(self, index: int) -> Any:
    import torch  # Here, so that our workers do without.

    with Image.open(self._files[index]) as picture:
      return torch.from_numpy(_PREPROCESS(picture.convert("RGB")).copy())


def _write(root: pathlib.Path) -> None:
  pictures = datasets.load_sample_images().images
  for number in range(_IMAGES.value):
    picture = Image.fromarray(pictures[number % 2]).resize((500, 375))
    file = root / str(number % 2) / f"{number}.jpg"
    file.parent.mkdir(exist_ok=True)
    picture.rotate(number % 7).save(file, quality=95)


def _rate(batches: Iterator[Any]) -> float:
  """Images per second after the first batch, by when the workers have started."""
  next(batches)
  started, count = time.perf_counter(), 0
  for _ in batches:
    count += _BATCH
  return count / (time.perf_counter() - started)


def _ours(source: data.Source, workers: int) -> Iterator[Any]:
  return data.stream(source, _batches(source), _PREPROCESS, workers)


def _batches(source: data.Source) -> list[range]:
  return [range(start, start + _BATCH) for start in range(0, len(source), _BATCH)]


def _cached(source: data.Source) -> tuple[float, float]:
  """Images per second into a cache and out of it."""
  filling = reading = 0.0
  for _ in range(_TURNS):
    with tempfile.TemporaryDirectory() as folder:
      filling, reading = (
        max(best, _rate(cache.stream(source, _batches(source), _PREPROCESS, folder)))
        for best in (filling, reading)
      )
  return filling, reading


def _loader(files: list[pathlib.Path], workers: int) -> Iterator[Any]:
  import torch

  context = "spawn" if workers else None
  return iter(
    torch.utils.data.DataLoader(
      _Theirs(files), batch_size=_BATCH, num_workers=workers, multiprocessing_context=context
    )
  )


def _megabytes(process: Any) -> float:
  """Private and shared memory of a process, shared pages counted in parts (Linux)."""
  for line in pathlib.Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines():
    if line.startswith("Pss:"):
      return int(line.split()[1]) / 1024
  raise RuntimeError(f"no Pss of {process}")


def _worker_memory(source: data.Source) -> float:
  batches = _ours(source, 1)
  next(batches)
  (worker,) = multiprocessing.active_children()
  return _megabytes(worker)


def _waits(workers: int) -> tuple[float, float]:
  """Seconds that the device waits and computes, after the first block, which compiles."""
  source = data.load("digits")
  tower = checkpoint.abstract(models.ARCHITECTURES["ViT-B-32"]).visual
  draw = np.random.default_rng(0)
  tower = jax.tree.map(lambda x: draw.normal(0, 0.02, x.shape).astype(x.dtype), tower)
  program = devices.shard(lambda model, images: model(images))
  network = devices.replicate(tower)
  blocks = [range(start, start + 60) for start in range(0, 360, 60)]
  batches = data.stream(source, blocks, _PREPROCESS, workers)
  waited = computed = 0.0
  for number in range(len(blocks)):
    started = time.perf_counter()
    images = next(batches).images
    ready = time.perf_counter()
    scattered = devices.scatter(images.astype(np.float32) / 255)
    jax.block_until_ready(program(network, scattered))
    if number:
      waited += ready - started
      computed += time.perf_counter() - ready
  return waited, computed


def main(argv: list[str]) -> None:
  """Prints the tables."""
  del argv
  devices.use_all_cores()
  counts = [int(count) for count in _WORKERS.value]
  with tempfile.TemporaryDirectory() as folder:
    _write(pathlib.Path(folder))
    source = data.folder(folder)
    files = sorted(pathlib.Path(folder).rglob("*.jpg"))
    print(f"{devices.cores()} cores; images/s{'ours':>10}{'torch':>10}{'ratio':>8}")
    for workers in counts:
      mine = theirs = 0.0
      for _ in range(_TURNS):
        mine = max(mine, _rate(_ours(source, workers)))
        theirs = max(theirs, _rate(_loader(files, workers)))
      print(f"{workers} workers{mine:20.0f}{theirs:10.0f}{mine / theirs:7.2f}x", flush=True)
    filling, reading = _cached(source)
    print(f"cache, 0 workers: filling {filling:.0f} images/s, reading {reading:.0f}", flush=True)
    print(f"memory of a worker: {_worker_memory(source):.0f} MB")
  waited, computed = _waits(0)
  share = waited / (waited + computed)
  print(
    f"clean digits, ViT-B/32, threads: the device waits {share:.1%} of {waited + computed:.1f} s"
  )


if __name__ == "__main__":
  app.run(main)
