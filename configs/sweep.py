"""Robust accuracy at every epsilon, from one search for the smallest epsilon of each image.

Command: python -m jaxbench --config=configs/sweep.py --workdir=runs/sweep \
  --config.models=PATH --config.data=imagenet --config.data_root=FOLDER --config.limit=1000
Run time: --plan tells the most; README.md has what was measured, for 1,000 images and a device.

Each part of AutoAttack is bisected for all images at once, and an image that withstands the largest
epsilon is attacked once. The report draws the whole curves. The argument `digits` is the same on
the embedded models.
"""

from jaxbench import config

PARTS = ("apgd", "apgd(loss='dlr', targets=9)", "fab(targets=9)", "square")  # Of AutoAttack.


def get_config(where: str = "imagenet") -> config.Config:
  """The curve on ImageNet, or on `digits`."""
  digits = where == "digits"
  return config.Config(
    models=("digits-clip", "digits-clip-robust", "digits-resnet") if digits else ("models/clip",),
    data=("digits",) if digits else ("imagenet",),
    prompts=("openai_80",),
    attacks=config.Attacks(smallest=PARTS, epsilons=(16 / 255,), tolerance=1 / 1020),
    slots=config.AUTO,
  )
