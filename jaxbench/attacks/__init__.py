"""Adversarial attacks on any pytree callable from images [B, H, W, 3] in [0, 1] to logits [B, K].

Epsilon is in [0, 1] pixel units (4/255). An attack is a pair of pure functions for one example
(`base.py`); `run` adds the batch and the devices and judges what comes back.
"""

from collections.abc import Callable

from jaxbench.attacks.apgd import apgd
from jaxbench.attacks.autoattack import autoattack
from jaxbench.attacks.base import Attack, Cascade, Classifier, State, as_float, cascade
from jaxbench.attacks.checks import Warning
from jaxbench.attacks.cw import cw
from jaxbench.attacks.ddn import ddn
from jaxbench.attacks.deepfool import deepfool
from jaxbench.attacks.ead import ead
from jaxbench.attacks.fab import fab
from jaxbench.attacks.fgsm import fgsm
from jaxbench.attacks.fmn import fmn
from jaxbench.attacks.losses import LOSSES
from jaxbench.attacks.minimal import Smallest, minimal_epsilon
from jaxbench.attacks.norms import NORMS
from jaxbench.attacks.pgd import pgd
from jaxbench.attacks.run import Result, run
from jaxbench.attacks.square import square

ATTACKS: dict[str, Callable[..., Attack | Cascade]] = {
  "apgd": apgd,
  "autoattack": autoattack,
  "cw": cw,
  "ddn": ddn,
  "deepfool": deepfool,
  "ead": ead,
  "fab": fab,
  "fgsm": fgsm,
  "fmn": fmn,
  "pgd": pgd,
  "square": square,
}

__all__ = [
  "ATTACKS",
  "LOSSES",
  "NORMS",
  "Attack",
  "Cascade",
  "Classifier",
  "Result",
  "Smallest",
  "State",
  "Warning",
  "apgd",
  "as_float",
  "autoattack",
  "cascade",
  "cw",
  "ddn",
  "deepfool",
  "ead",
  "fab",
  "fgsm",
  "fmn",
  "minimal_epsilon",
  "pgd",
  "run",
  "square",
]
