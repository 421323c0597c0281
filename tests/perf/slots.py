"""What the number of slots costs: an attack that fools nothing against the bare batched gradient.

  PYTHONPATH=tests python tests/perf/slots.py [--images=8,64,200] [--slots=auto,4,8,64] [--tiny]

A model of ViT-B/32's size with random weights, PGD with three steps at epsilon 0. "bare" is the
gradient of the cross-entropy alone, in the batches that are the fastest for it. "attack" counts the
same gradients only; "all" counts the passes beside them too (clean images, their checks, the
judge), in which a forward pass is half a gradient with respect to images. Compilation is left out;
turns are interleaved and the best of each stands.
"""

import functools
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from absl import app, flags
from flax import nnx

from jaxbench import attacks, data, devices, models, seats
from jaxbench.attacks.engine import verdict

_IMAGES = flags.DEFINE_list("images", ["8", "64", "200"], "How many are attacked.")
_SLOTS = flags.DEFINE_list("slots", ["auto"], "Per device.")
_TURNS = flags.DEFINE_integer("turns", 2, "Of which the best stands.")
_TINY = flags.DEFINE_bool("tiny", False, "The digits' CLIP instead.")
_EACH_CORE = flags.DEFINE_bool("each_core", False, "Each core of a CPU is a device, as in runs.")
_STEPS = 3
_FASTEST = (4, 8, 32, 256)  # Batches that the bare gradient may take.


def _classifier() -> tuple[Any, int]:
  """With random weights, and the side of its images."""
  if _TINY.value:
    clip, names = models.load("digits-clip"), data.load("digits").class_names
    return models.zero_shot(clip, names, models.templates("simple")), 32
  config = models.ARCHITECTURES["ViT-B-32-quickgelu"]
  visual = models.CLIP(config, rngs=nnx.Rngs(0)).visual
  text = np.random.default_rng(0).normal(size=(config.embed_dim, 1000)).astype(np.float32)
  text /= np.linalg.norm(text, axis=0)
  return models.ZeroShot(visual, jnp.asarray(text), jnp.float32(100), jnp.float32(0)), 224


def _seconds(function: Callable[[], Any]) -> float:
  began = time.perf_counter()
  function()
  return time.perf_counter() - began


def _bare(replicated: Any, images: np.ndarray, labels: np.ndarray) -> Callable[[int], None]:
  """A function of the batch on each device: the gradient at all images."""

  def gradient(classifier: Any, images: jax.Array, labels: jax.Array) -> jax.Array:
    def loss(images: jax.Array) -> jax.Array:
      logs = jax.nn.log_softmax(classifier(images))
      return -jnp.take_along_axis(logs, labels[:, None], axis=1).sum()

    return jax.grad(loss)(images)

  program = devices.shard(gradient)

  def run(batch: int) -> None:
    for part in devices.stream(program, replicated, (images, labels), batch):
      jax.block_until_ready(part.result)

  return run


def _line(classifier: Any, replicated: Any, images: np.ndarray, labels: np.ndarray) -> None:
  """Prints a line for each number of slots."""
  some, count = len(images), devices.mesh().size
  bare = _bare(replicated, images, labels)
  sizes = [size for size in _FASTEST if size * count <= max(some, _FASTEST[0] * count)]
  asked = [None if slots == "auto" else int(slots) for slots in _SLOTS.value]
  attack, least, fastest = attacks.pgd(steps=_STEPS), [np.inf] * len(asked), np.inf
  attacked = [
    functools.partial(
      attacks.run, attack, classifier, images, labels, 0.0, jax.random.key(0), slots=slots
    )
    for slots in asked
  ]
  for turn in range(_TURNS.value + 1):  # The first one compiles.
    bares = [_seconds(functools.partial(bare, size)) for size in sizes]
    spent = [_seconds(one) for one in attacked]
    if turn:
      fastest = min(fastest, *bares)
      least = list(map(min, least, spent))
  gradients = _STEPS * some
  for slots, seconds in zip(asked, least, strict=True):
    taken = slots or seats.fastest(replicated.leaves, some)
    # Beside them a forward pass on the clean image and one of the judge, half a gradient each; and
    # for the checks a gradient and two forward passes on as many images as there are slots.
    everything = gradients + some + 2 * min(some, taken * count)
    bare_rate, rate, all_rate = some / fastest, gradients / seconds, everything / seconds
    print(
      f"{some:6} {slots or 'auto':>6} {bare_rate:9.1f} {rate:9.1f} {rate / bare_rate:6.2f}x "
      f"{all_rate:9.1f} {all_rate / bare_rate:6.2f}x",
      flush=True,
    )


def main(_: list[str]) -> None:
  """Prints a table."""
  if _EACH_CORE.value:
    devices.use_all_cores()
  classifier, side = _classifier()
  replicated, count = devices.replicate(classifier), devices.mesh().size
  most = max(map(int, _IMAGES.value))
  images = np.random.default_rng(0).random((most, side, side, 3), np.float32)
  logits = verdict.logits(replicated, images, 8)
  labels = logits.argmax(axis=1).astype(np.int32)
  kind = devices.mesh().devices.flat[0].device_kind
  print(f"{count} x {kind}, {devices.cores()} cores, JAX {jax.__version__}; gradients/s")
  print(
    f"{'images':>6} {'slots':>6} {'bare':>9} {'attack':>9} {'ratio':>7} {'all':>9} {'ratio':>7}"
  )
  for some in map(int, _IMAGES.value):
    _line(classifier, replicated, images[:some], labels[:some])


if __name__ == "__main__":
  app.run(main)
