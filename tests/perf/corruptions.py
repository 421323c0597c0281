"""Corrupted images per second, against imagecorruptions and the code of ImageNet-C; run by hand.

  apt install libmagickwand-6.q16-6
  pip install --no-deps imagecorruptions imagenet_c; pip install numba wand
  PYTHONPATH=tests python tests/perf/corruptions.py [--names=shot_noise,zoom_blur]

Photographs of 224 pixels, same machine, same run, every core at work on each side: ours as the
suites run it, the others in one process per core, OpenCV single-threaded in each, or with
--processes=1 in one alone, as whoever calls their functions has them. The ratio is ours over
theirs, so above 1 ours is faster. Each number is the best of several turns, in which the sides
alternate; --clock=processor counts the time that the cores work, which a busy machine disturbs
less. The published imagecorruptions moves the pixels of glass_blur in a Python loop; its repository
has compiled that loop since, and "compiled" is the package with it. imagenet_c is the code that
made ImageNet-C, with ImageMagick. Both are as published, patched only where today's libraries would
stop them; frost, which imagenet_c came without, reads the files of the other. The last line says
what part of an evaluation of ViT-B/32 is corruption.
"""

import functools
import itertools
import multiprocessing
import time
import timeit
from collections.abc import Callable, Iterator
from multiprocessing.pool import Pool
from typing import Any

import cv2
import jax
import jax.numpy as jnp
import numba
import numpy as np
import skimage.filters
from absl import app, flags
from references import as_published, create_c
from references.photographs import photographs
from scipy import stats

from jaxbench import attacks, corruptions, devices, models
from jaxbench.models.weights import checkpoint

_ALL = (*corruptions.NAMES, *corruptions.EXTRA_NAMES)
_NAMES = flags.DEFINE_list("names", list(_ALL), "What is measured.")
_IMAGES = flags.DEFINE_integer("images", 12, "Images per device in one call of ours.")
_TURNS = flags.DEFINE_integer("turns", 3, "Of each side, of which the best counts.")
_PROCESSES = flags.DEFINE_integer("processes", devices.cores(), "Of the others.")
_CLOCK = flags.DEFINE_enum("clock", "wall", ["wall", "processor"], "What time is measured by.")
_TURN_SECONDS = 0.3
_PEERS = flags.DEFINE_list(
  "peers", ["imagecorruptions", "compiled", "imagenet_c"], "Beside whom, of these; or nobody."
)


_blur = functools.partial(skimage.filters.gaussian, channel_axis=-1)


@numba.njit
def _shuffle(x: np.ndarray, reach: int, passes: int) -> None:
  for _ in range(passes):
    for h in range(x.shape[0] - reach, reach, -1):
      for w in range(x.shape[1] - reach, reach, -1):
        dx, dy = np.random.randint(-reach, reach), np.random.randint(-reach, reach)  # noqa: NPY002
        x[h, w] = x[h + dy, w + dx]


def _compiled_glass_blur(image: Any, severity: int) -> np.ndarray:
  sigma, reach, passes = create_c.constants("imagenet", "glass_blur")[severity - 1]
  x = np.uint8(_blur(np.array(image) / 255.0, sigma) * 255)
  _shuffle(x, reach, passes)
  return np.clip(_blur(x / 255.0, sigma), 0, 1) * 255


def _peer(peer: str, name: str, severity: int) -> Callable[[np.ndarray], np.ndarray]:
  package = as_published.package("imagecorruptions" if peer == "compiled" else peer)
  glass_blur = _compiled_glass_blur if peer == "compiled" else package.corruptions.glass_blur
  package.corruption_dict["glass_blur"] = glass_blur
  return lambda pixels: package.corrupt(pixels, severity, corruption_name=name)


def _work(task: tuple[str, str, int], clock: str) -> float:
  """Images per second of one process."""
  cv2.setNumThreads(1)
  call, pictures = _peer(*task), photographs()
  call(pictures[0])
  now = time.perf_counter if clock == "wall" else time.process_time
  done, started = 0, now()
  while now() - started < _TURN_SECONDS:
    call(pictures[done % len(pictures)])
    done += 1
  return done / (now() - started)


def _now() -> float:
  """Seconds, of which all cores together have one at a time."""
  return (
    time.perf_counter() if _CLOCK.value == "wall" else time.process_time() / devices.mesh().size
  )


def _ours(name: str) -> Callable[[int], float]:
  """Severity -> images per second on all devices, keys and images made beforehand."""
  textures = corruptions.frost_textures() if corruptions.CORRUPTIONS[name].photographs else None

  def corrupt(severity: jax.Array, examples: jax.Array, images: jax.Array) -> jax.Array:
    def one(key: jax.Array, image: jax.Array) -> jax.Array:
      return corruptions.corrupt(key, image, name, severity, textures=textures)

    keys = jax.vmap(jax.random.key)(examples)
    return jax.vmap(one)(keys, attacks.as_float(images))

  program = devices.shard(corrupt, network=False)
  count = _IMAGES.value * devices.mesh().size
  examples = devices.scatter(np.arange(count))
  images = devices.scatter(np.resize(photographs(), (count, 224, 224, 3)))

  def rate(severity: int) -> float:
    level, best = devices.replicate(np.int32(severity)), float("inf")
    for _ in range(4):
      started = _now()
      program(level, examples, images).block_until_ready()
      best = min(best, _now() - started)
    return count / best

  return rate


def _rates(pool: Pool, name: str, severity: int, ours: Callable[[int], float]) -> dict[str, float]:
  """The best of several turns of each side."""
  sides = {"ours": lambda: ours(severity)}
  for peer in _PEERS.value:
    if peer != "compiled" or name == "glass_blur":
      tasks = [((peer, name, severity), _CLOCK.value)] * _PROCESSES.value
      sides[peer] = lambda tasks=tasks: sum(pool.starmap(_work, tasks, chunksize=1))
  turns = [{side: call() for side, call in sides.items()} for _ in range(_TURNS.value)]
  rates = {side: max(turn[side] for turn in turns) for side in sides}
  return {"compiled": rates.get("imagecorruptions")} | rates


def _forward() -> float:
  """Images per second through the image tower of a ViT-B/32, whatever its weights."""
  whole = checkpoint.abstract(models.ARCHITECTURES["ViT-B-32"])
  tower = jax.tree.map(lambda leaf: jnp.full(leaf.shape, 0.01, leaf.dtype), whole.visual)
  program, replicated = devices.shard(lambda tower, x: tower(x)), devices.replicate(tower)
  count = (16 if jax.default_backend() == "cpu" else 256) * devices.mesh().size
  images = devices.scatter(np.resize(photographs(), (count, 224, 224, 3)).astype(np.float32) / 255)
  seconds = timeit.repeat(
    lambda: program(replicated, images).block_until_ready(), number=1, repeat=6
  )
  return count / min(seconds)


def _rows(
  pool: Pool, ratios: dict[str, list[tuple[str, float]]], ours_per_second: list[float]
) -> Iterator[str]:
  for name in _NAMES.value:
    ours = _ours(name)
    for severity in range(1, 6):
      rates = _rates(pool, name, severity, ours)
      row = f"{name:18} {severity} {rates['ours']:10.1f}"
      for peer in _PEERS.value:
        ratios[peer].append((name, rates["ours"] / rates[peer]))
        row += f" {rates[peer]:16.1f} {ratios[peer][-1][1]:7.2f}x"
      ours_per_second.append(rates["ours"])
      yield row


def main(argv: list[str]) -> None:
  """Prints the table and the geometric means."""
  del argv
  devices.use_all_cores()
  print(
    f"{jax.devices()[0].device_kind}, {devices.cores()} cores; {_PROCESSES.value} processes of the "
    "others; images/s at 224 pixels"
  )
  print(f"{'':20} {'ours':>10}" + "".join(f" {peer:>16} {'ratio':>8}" for peer in _PEERS.value))
  speeds: list[float] = []
  ratios: dict[str, list[tuple[str, float]]] = {peer: [] for peer in _PEERS.value}
  with multiprocessing.get_context("spawn").Pool(_PROCESSES.value) as pool:
    for row in _rows(pool, ratios, speeds):
      print(row, flush=True)
  for (peer, found), names in itertools.product(ratios.items(), (_ALL, corruptions.NAMES)):
    cells = [ratio for name, ratio in found if name in names]
    if cells:
      print(f"geometric mean over {len(cells)} cells, ours over {peer}: {stats.gmean(cells):.2f}x")
  corrupting, classifying = 1e3 * sum(1 / np.array(speeds)), 1e3 * len(speeds) / _forward()
  print(
    f"{len(speeds)} cells of an image: {corrupting:.0f} ms of corruption and {classifying:.0f} ms "
    f"of ViT-B/32 forward passes; share of corruption {corrupting / (corrupting + classifying):.1%}"
  )


if __name__ == "__main__":
  app.run(main)
