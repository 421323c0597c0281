"""DeepFool of ours against a torch loop by foolbox's rules; run by hand.

  PYTHONPATH=tests python tests/perf/deepfool.py [--models=digits,vit] [--examples=256]

Same weights, same images, same machine, 1,000 classes. The torch loop takes its steps until the
whole batch is fooled, a backward pass for each candidate class and the whole batch; foolbox repeats
the forward pass for each of them, a kinder loop does not: both are timed. "gradients" is the ratio
of gradient evaluations, theirs over ours, "time" that of seconds, the best of several, compilation
left out: above 1 ours is better.
"""

import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from absl import app, flags
from flax import nnx
from references import attacks as reference
from references import machine, minnorm, towers

from jaxbench import attacks, data, models

_MODELS = flags.DEFINE_list("models", ["digits", "vit"], "What to attack.")
_NORMS = flags.DEFINE_list("norms", ["linf", "l2"], "In which norms.")
_EXAMPLES = flags.DEFINE_integer("examples", 256, "Images; a model of ViT-B/32's size takes fewer.")
_REPEATS = flags.DEFINE_integer("repeats", 3, "The best of so many is taken.")
CLASSES, BATCH = 1000, 64


def _digits() -> tuple[Any, Any, np.ndarray]:
  """The robust twin on scans, its ten classes among 990 random ones."""
  clip = models.load("digits-clip-robust")
  source = data.load("digits")
  ten = models.zero_shot(clip, source.class_names, models.templates("simple"))
  draw = np.random.default_rng(0)
  more = draw.normal(size=(len(ten.text), CLASSES - 10)).astype(np.float32)
  text = np.concatenate([ten.text, more / np.linalg.norm(more, axis=0)], axis=1)
  ours = ten.replace(text=jnp.asarray(text))
  images, _ = data.load_images(source, range(_EXAMPLES.value), models.Preprocess(32))
  return ours, towers.Classifier(ours, clip.config), images.astype(np.float32) / 255


def _vit() -> tuple[Any, Any, np.ndarray]:
  """Random weights of ViT-B/32's size, random classes."""
  config = models.ARCHITECTURES["ViT-B-32-quickgelu"]
  visual = models.CLIP(config, rngs=nnx.Rngs(0)).visual
  draw = np.random.default_rng(0)
  text = draw.normal(size=(config.embed_dim, CLASSES)).astype(np.float32)
  text /= np.linalg.norm(text, axis=0)
  ours = models.ZeroShot(visual, jnp.asarray(text), jnp.float32(100), jnp.float32(0))
  images = draw.random((max(_EXAMPLES.value // 16, 8), 224, 224, 3), np.float32)
  return ours, towers.Classifier(ours, config), images


def _torch(
  theirs: Any, images: np.ndarray, labels: np.ndarray, norm: str, again: bool
) -> tuple[np.ndarray, int]:
  """Distances [N] and gradient evaluations."""
  distances, gradients = [], 0
  for start in range(0, len(images), BATCH):
    clean = torch.tensor(images[start : start + BATCH])
    classes = torch.tensor(labels[start : start + BATCH]).long()
    nearest = torch.full((len(clean),), torch.inf)
    steps = minnorm.deepfool(theirs, clean, classes, norm=norm, again=again)
    for step, (x, logits) in enumerate(steps):
      gradients += 9 * len(clean) * (step > 0)
      sizes = reference.size(x - clean, norm)
      nearest = torch.where(logits.argmax(dim=1) != classes, sizes, nearest)
    distances.append(nearest.numpy())
  return np.concatenate(distances), gradients


def _best(function: Callable[[], Any]) -> tuple[Any, float]:
  """Its result, and its seconds."""
  seconds = []
  for _ in range(_REPEATS.value):
    began = time.perf_counter()
    result = function()
    seconds.append(time.perf_counter() - began)
  return result, min(seconds)


def _compare(title: str, subject: tuple[Any, Any, np.ndarray], norm: str, slots: int) -> None:
  ours, theirs, images = subject
  labels = np.asarray(jax.jit(lambda c, x: c(x).argmax(axis=1))(ours, images), np.int32)
  arguments = (attacks.deepfool(norm=norm), ours, images, labels, 1e3)

  def search() -> attacks.Smallest:
    return attacks.minimal_epsilon(*arguments, key=jax.random.key(0), slots=slots)

  search()  # Compiles.
  found, seconds = _best(search)
  (_, gradients), kind = _best(lambda: _torch(theirs, images, labels, norm, again=False))
  (distances, _), foolbox = _best(lambda: _torch(theirs, images, labels, norm, again=True))
  spent = int(found.backwards.sum())
  print(
    f"{title}, {norm}, {len(images)} images: median distance {np.median(found):.5f} (torch "
    f"{np.median(distances):.5f}), {spent / len(images):.1f} gradients per image (torch "
    f"{gradients / len(images):.1f}), {seconds:.2f} s (torch {foolbox:.2f} s, one forward pass a "
    f"step {kind:.2f} s); gradients {gradients / spent:.1f}x, time {foolbox / seconds:.1f}x, "
    f"against one forward pass {kind / seconds:.1f}x, occupancy {found.occupancy:.2f}",
    flush=True,
  )


def main(_: list[str]) -> None:
  """Prints a line per model and norm."""
  machine.use_all_of_it()
  for norm in _NORMS.value:
    if "digits" in _MODELS.value:
      _compare("digits, robust twin", _digits(), norm, 32)
    if "vit" in _MODELS.value:
      _compare("ViT-B/32 size", _vit(), norm, 4)


if __name__ == "__main__":
  app.run(main)
