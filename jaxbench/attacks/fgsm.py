"""The fast gradient sign method (Goodfellow et al., 2015, arXiv:1412.6572)."""

from jaxbench.attacks import losses
from jaxbench.attacks.base import Attack
from jaxbench.attacks.pgd import pgd


def fgsm(
  *,
  norm: str = "linf",
  loss: str | losses.Loss = "cross_entropy",
  keep_going: bool = False,
) -> Attack:
  """One step of full length from the image itself.

  Args:
    norm: "linf" (the paper's) or "l2".
    loss: "cross_entropy", "margin" or a function (logits [K], label []) -> [].
    keep_going: take the step even where the image itself fools, for transfer to another model.
      Both images are looked at, which makes it two steps, and the one of the larger loss is
      returned.
  """
  looks = 2 if keep_going else 1
  return pgd(
    steps=looks,
    norm=norm,
    loss=loss,
    random_start=False,
    relative_step=float(looks),  # Of all looks together: each moves by epsilon.
    keep_going=keep_going,
  )
