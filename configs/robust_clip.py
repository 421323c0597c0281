"""Robust CLIP encoders as RobustVLM evaluates them, with the published table beside one's own.

Command: python -m jaxbench --config=configs/robust_clip.py --workdir=runs/robust_clip \
  --config.models=PATH/fare4-clip --config.data=imagenet,imagenet-r,imagenet-sketch,cifar10
Run time: --plan tells; a ViT-L/14 that resists costs 1,414 gradients an example and epsilon.
Expected: not measured, since no weights of this size were at hand; the published table, within the
noise of 1,000 examples and of what differs below.

APGD with cross-entropy (five restarts), then APGD towards nine targets with DLR, 100 steps each; 2
and 4/255 (1/255 for base models), 1,000 images a data set, in float32; CIFAR and STL-10 attacked at
their own size (Schlarmann et al., 2024, arXiv:2402.12336, section 4.2 and their code). Different is
which 1,000 images (a shuffle of a stream there, and RobustBench's 5,000 for ImageNet; here drawn by
a hash of their ids), and so are the prompts (their data sets have templates of their own, to be
given as files with --config.prompts) and how small images are enlarged. The report tells what
differs, line by line, and marks no number where anything does. The argument `digits` is the same on
the embedded models.
"""

from jaxbench import config

_ATTACK = "autoattack(attacks=('apgd-ce', 'apgd-t'), restarts=5)"


def get_config(where: str = "imagenet") -> config.Config:
  """The protocol on ImageNet, or on `digits`."""
  digits = where == "digits"
  return config.Config(
    models=("digits-clip", "digits-clip-robust") if digits else ("models/fare4-clip",),
    data=("digits",) if digits else ("imagenet",),
    prompts=("openai_80",),
    attacks=config.Attacks(
      names=(_ATTACK,),
      epsilons=(4 / 255, 8 / 255, 16 / 255) if digits else (1 / 255, 2 / 255, 4 / 255),
    ),
    native=True,
    limit=1000,
    published=("fare",),
  )
