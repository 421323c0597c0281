"""NES and SPSA of ours against torch loops on the digits CLIP; run by hand.

  PYTHONPATH=tests python tests/perf/blackbox.py [--images=8] [--steps=20] [--repeats=5]

Same weights, same images, same machine, same run. One torch loop takes an image at a time, with all
queries of a step as one batch, and stops when it fools, as RoZ's code does. The other one takes
several images at a time, and stops when all are fooled. Ours and theirs take turns, and of each the
fastest turn counts; compilation is left out. Ratios above 1: ours is better. The first lines are
forward passes alone, on images that are there already: no attack can make more queries.
"""

import time
import timeit
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import torch
from absl import app, flags
from references import blackbox as reference
from references import machine, towers

from jaxbench import attacks, data, devices, models

_IMAGES = flags.DEFINE_integer("images", 8, "How many.")
_STEPS = flags.DEFINE_integer("steps", 20, "The most, of 201 queries each.")
_REPEATS = flags.DEFINE_integer("repeats", 5, "Turns of each.")
_TOGETHER = flags.DEFINE_integer("together", 4, "Images that the second torch loop batches.")
_SLOTS = flags.DEFINE_integer("slots", None, "Per device; by default what `attacks.run` takes.")
_CHUNK = flags.DEFINE_integer("chunk", None, "Pairs that ours evaluates at a time.")
PAIRS = 100
EPSILONS = (0.0, 8 / 255)  # At epsilon 0 nothing can be fooled.
Contender = Callable[[], tuple[float, int]]  # -> share that is fooled, queries.


def _ours(method: str, subject: Any, epsilon: float) -> Contender:
  classifier, _, images, labels = subject
  queries = _STEPS.value * (2 * PAIRS + 1)
  attack = attacks.ATTACKS[method](queries=queries, pairs=PAIRS, chunk=_CHUNK.value)

  def run() -> tuple[float, int]:
    key, slots = jax.random.key(0), _SLOTS.value
    result = attacks.run(attack, classifier, images, labels, epsilon, key, slots=slots)
    return result.success.mean(), int(result.forwards.sum())

  return run


def _theirs(
  draw: Callable[..., torch.Tensor], subject: Any, epsilon: float, many: int
) -> Contender:
  _, model, images, labels = subject

  def run() -> tuple[float, int]:
    fooled, queries = 0, 0
    for start in range(0, len(images), many):
      clean = torch.tensor(images[start : start + many])
      classes = torch.tensor(labels[start : start + many]).long()

      def directions(_: int, clean: torch.Tensor = clean) -> torch.Tensor:
        return draw(PAIRS, clean)

      loop = reference.descend(model, clean, classes, epsilon, directions, steps=_STEPS.value)
      with torch.inference_mode():
        for _, seen in loop:
          queries += len(clean) * (2 * PAIRS + 1)
          if seen.all():
            break
      fooled += int(seen.sum())
    return fooled / len(images), queries

  return run


def _bound(subject: Any) -> None:
  """Prints what the classifiers do without an attack around them."""
  ours, model, images, _ = subject
  batch = np.resize(images, (2 * PAIRS * devices.mesh().size, *images.shape[1:]))
  program, replicated = devices.shard(lambda classifier, x: classifier(x)), devices.replicate(ours)
  scattered, tensor = devices.scatter(batch), torch.tensor(batch[: 2 * PAIRS])

  def theirs() -> None:
    with torch.inference_mode():
      model(tensor)

  sides = {
    "ours": (lambda: program(replicated, scattered).block_until_ready(), len(batch)),
    "torch": (theirs, len(tensor)),
  }
  for name, (call, count) in sides.items():
    seconds = timeit.repeat(call, number=1, repeat=10 * _REPEATS.value)
    print(f"forward passes alone, {name}: {count / min(seconds):.0f} queries/s", flush=True)


def _compare(title: str, contenders: dict[str, Contender]) -> None:
  """Prints a line for each; the first is ours."""
  best: dict[str, float] = {}
  found = {name: run() for name, run in contenders.items()}
  for _ in range(_REPEATS.value):
    for name, run in contenders.items():
      began = time.perf_counter()
      found[name] = run()
      best[name] = min(best.get(name, np.inf), time.perf_counter() - began)
  ours, *_ = contenders
  speed = {name: found[name][1] / best[name] for name in contenders}
  for name, (fooled, queries) in found.items():
    print(
      f"{title}, {name}: fooled {fooled:.1%}, {queries} queries, {best[name]:.2f} s, "
      f"{speed[name]:.0f} queries/s; ours {speed[ours] / speed[name]:.2f}x in queries/s, "
      f"{best[name] / best[ours]:.2f}x in time",
      flush=True,
    )


def main(_: list[str]) -> None:
  """Prints a line per attack, epsilon and contender."""
  machine.use_all_of_it()
  clip, source = models.load("digits-clip"), data.load("digits")
  ours = models.zero_shot(clip, source.class_names, models.templates("simple"))
  images, labels = data.load_images(source, range(_IMAGES.value), models.Preprocess(32))
  subject = ours, towers.Classifier(ours, clip.config), images.astype(np.float32) / 255, labels
  _bound(subject)
  for method, draw in (("nes", reference.gaussian), ("spsa", reference.signs)):
    for epsilon in EPSILONS:
      contenders = {"ours": _ours(method, subject, epsilon)}
      for many in (1, _TOGETHER.value):
        contenders[f"torch, {many} at a time"] = _theirs(draw, subject, epsilon, many)
      _compare(f"{method}, {epsilon * 255:g}/255", contenders)


if __name__ == "__main__":
  app.run(main)
