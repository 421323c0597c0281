"""Probes of composition, clean or with the images attacked until a wrong sentence is preferred.

Command: python -m jaxbench --config=configs/probes.py --workdir=runs/probes \
  --config.models=openai/clip-vit-base-patch32 \
  --config.data="/data/sugarcrepe(images='/data/val2017')"
Run time: --plan tells; SugarCrepe's 7,511 cases are minutes on a GPU.
Expected: not measured, since no weights of this size were at hand; SugarCrepe's authors have for
OpenAI's ViT-B/32 90.9, 80.1 and 69.2 (objects, attributes and relations replaced), 61.4 and 64.0
(objects and attributes swapped), 77.2 and 68.8 (objects and attributes added).

A probe is a file, or SugarCrepe's folder of seven; jaxbench/data/README.md lists the forms.

Arguments: `attacked` is APGD's margin at 2 and 4/255 on 1,000 cases; `tiny` a few steps on three.
"""

from jaxbench import config


def get_config(where: str = "clean") -> config.Config:
  """`clean`, `attacked` or `tiny`."""
  config.check_argument(where, "clean", "attacked", "tiny")
  attacks = {
    "clean": config.Attacks(),
    "attacked": config.Attacks(names=("apgd(loss='margin')",), epsilons=(2 / 255, 4 / 255)),
    "tiny": config.Attacks(names=("pgd(steps=3, loss='margin')",), epsilons=(8 / 255,)),
  }
  return config.Config(
    models=("openai/clip-vit-base-patch32",),
    data=("sugarcrepe",),
    attacks=attacks[where],
    limit={"clean": 0, "attacked": 1_000, "tiny": 3}[where],
  )
