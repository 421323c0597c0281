"""Adversarial attacks on any pytree callable from images [B, H, W, 3] in [0, 1] to logits [B, K].

Epsilon is in [0, 1] pixel units (4/255). An attack is a pair of pure functions for one example
(`base.py`); `run` adds the batch and the devices and judges what comes back.
"""

from collections.abc import Callable

from jaxbench.attacks import joint, text
from jaxbench.attacks.apgd import apgd
from jaxbench.attacks.autoattack import autoattack
from jaxbench.attacks.base import (
  Attack,
  Cascade,
  Classifier,
  Example,
  Progress,
  State,
  as_float,
  as_run,
  cascade,
)
from jaxbench.attacks.bim import bim
from jaxbench.attacks.boundary import boundary
from jaxbench.attacks.cw import cw
from jaxbench.attacks.cw_linf import cw_linf
from jaxbench.attacks.ddn import ddn
from jaxbench.attacks.deepfool import deepfool
from jaxbench.attacks.dim import dim
from jaxbench.attacks.ead import ead
from jaxbench.attacks.engine.doubt import Doubt
from jaxbench.attacks.ensemble import Ensemble, ensemble
from jaxbench.attacks.fab import fab
from jaxbench.attacks.fgsm import fgsm
from jaxbench.attacks.finite_differences import nes, spsa
from jaxbench.attacks.fmn import fmn
from jaxbench.attacks.goals import Aimed, Goal, Pair, Towards, beyond, misclassify, pair, towards
from jaxbench.attacks.hopskipjump import hopskipjump
from jaxbench.attacks.mim import mim
from jaxbench.attacks.minimal import Smallest, minimal_epsilon, most_probes
from jaxbench.attacks.ni import ni
from jaxbench.attacks.parts.losses import LOSSES
from jaxbench.attacks.parts.norms import NORMS, norm_name
from jaxbench.attacks.pgd import pgd
from jaxbench.attacks.run import Result, run
from jaxbench.attacks.si import si
from jaxbench.attacks.simba import simba
from jaxbench.attacks.square import square
from jaxbench.attacks.tim import tim
from jaxbench.attacks.vmi import vmi

ATTACKS: dict[str, Callable[..., Attack | Cascade]] = {
  "apgd": apgd,
  "autoattack": autoattack,
  "bim": bim,
  "boundary": boundary,
  "cw": cw,
  "cw_linf": cw_linf,
  "ddn": ddn,
  "deepfool": deepfool,
  "dim": dim,
  "ead": ead,
  "fab": fab,
  "fgsm": fgsm,
  "fmn": fmn,
  "hopskipjump": hopskipjump,
  "mim": mim,
  "nes": nes,
  "ni": ni,
  "pgd": pgd,
  "si": si,
  "simba": simba,
  "spsa": spsa,
  "square": square,
  "tim": tim,
  "vmi": vmi,
}

# What the option `keep_going` makes an attack return, "strongest" image or "smallest" perturbation;
# those without the option are not here.
KEEP_GOING: dict[Callable[..., Attack | Cascade], str] = {
  **dict.fromkeys((apgd, bim, dim, fgsm, mim, ni, pgd, si, tim, vmi), "strongest"),
  **dict.fromkeys((boundary, cw, cw_linf, ddn, ead, fab, fmn, hopskipjump), "smallest"),
}

__all__ = [
  "ATTACKS",
  "KEEP_GOING",
  "LOSSES",
  "NORMS",
  "Aimed",
  "Attack",
  "Cascade",
  "Classifier",
  "Doubt",
  "Ensemble",
  "Example",
  "Goal",
  "Pair",
  "Progress",
  "Result",
  "Smallest",
  "State",
  "Towards",
  "apgd",
  "as_float",
  "as_run",
  "autoattack",
  "beyond",
  "bim",
  "boundary",
  "cascade",
  "cw",
  "cw_linf",
  "ddn",
  "deepfool",
  "dim",
  "ead",
  "ensemble",
  "fab",
  "fgsm",
  "fmn",
  "hopskipjump",
  "joint",
  "mim",
  "minimal_epsilon",
  "misclassify",
  "most_probes",
  "nes",
  "ni",
  "norm_name",
  "pair",
  "pgd",
  "run",
  "si",
  "simba",
  "spsa",
  "square",
  "text",
  "tim",
  "towards",
  "vmi",
]
