"""Adversarial attacks on any pytree callable from images [B, H, W, 3] in [0, 1] to logits [B, K].

Epsilon is in [0, 1] pixel units (4/255). An attack is a pair of pure functions for one example
(`base.py`); `run` adds the batch and the devices and judges what comes back.
"""

from collections.abc import Callable

from jaxbench.attacks.base import Attack, Classifier, State
from jaxbench.attacks.engine import Result, program, run
from jaxbench.attacks.fgsm import fgsm
from jaxbench.attacks.losses import LOSSES
from jaxbench.attacks.norms import NORMS
from jaxbench.attacks.pgd import pgd

ATTACKS: dict[str, Callable[..., Attack]] = {"fgsm": fgsm, "pgd": pgd}

__all__ = [
  "ATTACKS",
  "LOSSES",
  "NORMS",
  "Attack",
  "Classifier",
  "Result",
  "State",
  "fgsm",
  "pgd",
  "program",
  "run",
]
