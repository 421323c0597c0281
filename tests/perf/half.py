"""Robust accuracy of searches in bfloat16 against those in float32, on digits; run by hand.

  PYTHONPATH=tests python tests/perf/half.py [--attacks=pgd,apgd] [--images=360]

Verdicts are in float32 on both sides. Each model is attacked at an epsilon that some of its images
survive. "p" is that of McNemar's exact test of the same images, so a small one says that half
precision finds less or more; "refuted" counts what a search in bfloat16 claimed and float32 did
not find so. Seconds say nothing of an accelerator: a CPU has no arithmetic in bfloat16.
"""

import time

import jax
import numpy as np
from absl import app, flags
from references import machine

from jaxbench import attacks, data, metrics, models

_ATTACKS = flags.DEFINE_list(
  "attacks",
  [name for name in attacks.ATTACKS if name != "autoattack"],  # Its parts are among them.
  "Each with its defaults.",
)
_MODELS = flags.DEFINE_list(
  "models", ["digits-clip:1", "digits-clip-robust:8", "digits-resnet:4"], "NAME:EPSILON, over 255."
)
_IMAGES = flags.DEFINE_integer("images", 360, "Of 360 scans.")


def main(argv: list[str]) -> None:
  """Prints a line for each model and attack."""
  del argv
  machine.use_all_of_it()
  source = data.load("digits")
  images, labels = data.load_images(source, range(_IMAGES.value), models.Preprocess(32))
  images = images.astype(np.float32) / 255
  print(
    "| model | attack | float32 | bfloat16 | p | refuted | seconds |\n|---|---|---|---|---|---|---|"
  )
  for told in _MODELS.value:
    name, epsilon = told.split(":")
    classifier = models.load(name)
    if isinstance(classifier, models.CLIP):
      classifier = models.zero_shot(classifier, source.class_names, models.templates("simple"))
    for attack in _ATTACKS.value:
      began, found = time.perf_counter(), {}
      for dtype in ("float32", "bfloat16"):
        found[dtype] = attacks.run(
          attacks.ATTACKS[attack](),
          classifier,
          images,
          labels,
          float(epsilon) / 255,
          jax.random.key(0),
          search_dtype=dtype,
        )
      right = [~result.success for result in found.values()]
      test = metrics.mcnemar(*right)
      refuted = int((found["bfloat16"].refuted > 0).sum())
      print(
        f"| {name} {epsilon}/255 | {attack} | {right[0].mean():.1%} | {right[1].mean():.1%} | "
        f"{test.p_value:.2g} | {refuted} | {time.perf_counter() - began:.0f} |",
        flush=True,
      )


if __name__ == "__main__":
  app.run(main)
