"""Images per second from files to a model's pixels, against torch's DataLoader; run by hand.

  PYTHONPATH=tests python tests/perf/data.py [--workers=0,1,2] [--images=300]

Same JPEGs (scikit-learn's photographs at 500 pixels, as ImageNet has them), same Pillow decoding
and resizing, same machine, same run, taking turns; each number is the best of three, the start and
end of worker processes left out. Above 1 ours is faster. The last two columns are ours while a
cache of decoded images is filled and while it is read; all files are in the system's memory. Then
the memory of a worker, and how long the device waits for pixels in a clean evaluation of a ViT-B/32
(random weights) on the digits.
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

from jaxbench import cache, data, devices, models
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
  """Images per second from the first batch, by when the workers have started, to the last but one.

  With the last the workers end, which takes a second.
  """
  count = _IMAGES.value // _BATCH - 2
  next(batches)
  started = time.perf_counter()
  for _ in range(count):
    next(batches)
  seconds = time.perf_counter() - started
  list(batches)
  return count * _BATCH / seconds


def _ours(source: data.Source, workers: int) -> Iterator[Any]:
  return data.stream(source, _batches(source), _PREPROCESS, workers)


def _cached(source: data.Source, workers: int, folder: str) -> Iterator[Any]:
  return cache.stream(source, _batches(source), _PREPROCESS, folder, workers)


def _batches(source: data.Source) -> list[range]:
  return [range(start, start + _BATCH) for start in range(0, len(source), _BATCH)]


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
    columns = "".join(f"{name:>10}" for name in ("ours", "torch", "ratio", "filling", "reading"))
    print(f"{devices.cores()} cores; images/s{columns}")
    for workers in counts:
      mine = theirs = filling = reading = 0.0
      for _ in range(_TURNS):
        mine = max(mine, _rate(_ours(source, workers)))
        theirs = max(theirs, _rate(_loader(files, workers)))
        with tempfile.TemporaryDirectory() as empty:
          filling = max(filling, _rate(_cached(source, workers, empty)))
          reading = max(reading, _rate(_cached(source, workers, empty)))
      rates = f"{mine:10.0f}{theirs:10.0f}{mine / theirs:9.2f}x{filling:10.0f}{reading:10.0f}"
      print(f"{workers} workers         {rates}", flush=True)
    print(f"memory of a worker: {_worker_memory(source):.0f} MB")
  waited, computed = _waits(0)
  share = waited / (waited + computed)
  print(
    f"clean digits, ViT-B/32, threads: the device waits {share:.1%} of {waited + computed:.1f} s"
  )


if __name__ == "__main__":
  app.run(main)
