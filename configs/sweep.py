"""Robust accuracy at every epsilon, from one search for the smallest epsilon of each image.

Command: python -m jaxbench --config=configs/sweep.py --workdir=runs/sweep \
  --config.models=PATH --config.data=imagenet --config.data_root=FOLDER --config.limit=1000
Run time: --plan tells the most; `digits` with --config.limit=40, 1.5 minutes on 2 CPU cores.
Expected: of these 40 scans, medians of the smallest epsilons of APGD, 0.0099 for the CLIP, 0.0588
for its robust twin, 0.0311 for the ResNet.

Each part of AutoAttack is bisected for all images at once, and an image that withstands the largest
epsilon is attacked once. The report draws the whole curves. The argument `digits` is the same on
the embedded models, with fewer steps.
"""

from jaxbench import config

PARTS = ("apgd", "apgd(loss='dlr', targets=9)", "fab(targets=9)", "square")  # Of AutoAttack.
SHORT = (
  "apgd(steps=20)",
  "apgd(steps=20, loss='dlr', targets=3)",
  "fab(steps=20, targets=3)",
  "square(queries=300)",
)


def get_config(where: str = "imagenet") -> config.Config:
  """The curve on ImageNet, or on `digits`."""
  config.check_argument(where, "imagenet", "digits")
  digits = where == "digits"
  return config.Config(
    models=("digits-clip", "digits-clip-robust", "digits-resnet") if digits else ("models/clip",),
    data=("digits",) if digits else ("imagenet",),
    prompts=("openai_80",),
    attacks=config.Attacks(
      smallest=SHORT if digits else PARTS, epsilons=(16 / 255,), tolerance=1 / 1020
    ),
    slots=config.AUTO,
  )
