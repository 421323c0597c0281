"""Attacks on images and captions together, each side guided by the other."""

from collections.abc import Callable

from jaxbench.attacks.joint.base import Joint
from jaxbench.attacks.joint.co_attack import co_attack
from jaxbench.attacks.joint.sga import sga

# By the names that a config has for them.
ATTACKS: dict[str, Callable[..., Joint]] = {"co_attack": co_attack, "sga": sga}

__all__ = ["ATTACKS", "Joint", "co_attack", "sga"]
