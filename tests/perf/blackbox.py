"""NES and SPSA of ours against torch loops on the digits CLIP; run by hand.

  PYTHONPATH=tests python tests/perf/blackbox.py [--images=32] [--repeats=3]

Same weights, same images, same machine, same run. One torch loop takes an image at a time, with all
queries of a step as one batch, and stops at the first image that fools, as RoZ's code does. The
other one takes several images at a time, until all are fooled or out of steps. Seconds are the best
of several runs, compilation left out.
"""

import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import torch
from absl import app, flags, logging
from references import blackbox as reference
from references import towers

from jaxbench import attacks, data, devices, models

_IMAGES = flags.DEFINE_integer("images", 32, "How many.")
_REPEATS = flags.DEFINE_integer("repeats", 3, "Runs, of which the best counts.")
_TOGETHER = flags.DEFINE_integer("together", 8, "Images that the second torch loop batches.")
_SLOTS = flags.DEFINE_integer("slots", 8, "Images that ours works on at a time.")
_CHUNK = flags.DEFINE_integer("chunk", None, "Pairs that ours evaluates at a time; all if not set.")
STEPS, PAIRS = 20, 100


def _best(function: Callable[[], Any]) -> tuple[Any, float]:
  """(result, seconds) of the fastest run, after one that does not count."""
  function()
  seconds = []
  for _ in range(_REPEATS.value):
    began = time.perf_counter()
    result = function()
    seconds.append(time.perf_counter() - began)
  return result, min(seconds)


def _loop(
  theirs: Any, images: np.ndarray, labels: np.ndarray, epsilon: float, draw: Any, together: int
) -> tuple[np.ndarray, int]:
  """(fooled [N], queries) of the torch loop, `together` images at a time."""
  fooled, queries = [], 0
  for start in range(0, len(images), together):
    rows = slice(start, start + together)
    clean, classes = torch.tensor(images[rows]), torch.tensor(labels[rows]).long()
    with torch.inference_mode():
      for _, seen in reference.descend(
        theirs, clean, classes, epsilon, lambda _, like=clean: draw(PAIRS, like), steps=STEPS
      ):
        queries += len(clean) * (2 * PAIRS + 1)
        if seen.all():
          break
    fooled.append(seen.numpy())
  return np.concatenate(fooled), queries


def main(_: list[str]) -> None:
  """Prints a line per attack and epsilon."""
  logging.set_verbosity(logging.WARNING)
  devices.use_all_cores()
  torch.set_num_threads(devices.cores())
  print(f"{devices.cores()} cores, JAX {jax.__version__}, torch {torch.__version__}")
  clip, source = models.load("digits-clip"), data.load("digits")
  ours = models.zero_shot(clip, source.class_names, models.templates("simple"))
  theirs = towers.Classifier(ours, clip.config)
  images, labels = data.load_images(source, range(_IMAGES.value), models.Preprocess(32))
  images = images.astype(np.float32) / 255
  for name, draw in (("nes", reference.gaussian), ("spsa", reference.signs)):
    attack = attacks.ATTACKS[name](queries=STEPS * (2 * PAIRS + 1), pairs=PAIRS, chunk=_CHUNK.value)
    for epsilon in (0.0, 4 / 255):  # At epsilon 0 nothing can be fooled.
      result, seconds = _best(
        lambda attack=attack, epsilon=epsilon: attacks.run(
          attack, ours, images, labels, epsilon, jax.random.key(0), slots=_SLOTS.value
        )
      )
      spent = int(result.forwards.sum())
      line = f"{name}, {epsilon * 255:g}/255: fooled {result.success.mean():.1%}, "
      line += f"{spent / seconds:.0f} queries/s, {len(images) / seconds:.2f} images/s"
      for together in (1, _TOGETHER.value):
        (fooled, queries), theirs_seconds = _best(
          lambda together=together, epsilon=epsilon, draw=draw: _loop(
            theirs, images, labels, epsilon, draw, together
          )
        )
        line += (
          f"; torch, {together} at a time: {fooled.mean():.1%}, {queries / theirs_seconds:.0f}, "
          f"{len(images) / theirs_seconds:.2f}: queries/s "
          f"{spent / seconds * theirs_seconds / queries:.2f}x, time {theirs_seconds / seconds:.2f}x"
        )
      print(line, flush=True)


if __name__ == "__main__":
  app.run(main)
