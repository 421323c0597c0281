"""The fast gradient sign method (Goodfellow et al., 2015, arXiv:1412.6572)."""

from jaxbench.attacks import losses
from jaxbench.attacks.base import Attack
from jaxbench.attacks.pgd import pgd


def fgsm(*, norm: str = "linf", loss: str | losses.Loss = "cross_entropy") -> Attack:
  """One step of full length from the image itself.

  Args:
    norm: "linf" (the paper's) or "l2".
    loss: "cross_entropy", "margin" or a function (logits [K], label []) -> [].
  """
  return pgd(steps=1, norm=norm, loss=loss, random_start=False, relative_step=1.0)
