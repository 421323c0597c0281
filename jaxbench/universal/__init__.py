"""Universal perturbations: one, learnt beforehand, is laid on every image.

Moosavi-Dezfooli et al., 2017 (arXiv:1610.08401); X-Transfer (Huang et al., 2025, arXiv:2505.05528),
whose published files `load` reads.
"""

from jaxbench.universal.files import load, save
from jaxbench.universal.learning import UCB, learn
from jaxbench.universal.perturbation import Universal, apply

__all__ = ["UCB", "Universal", "apply", "learn", "load", "save"]
