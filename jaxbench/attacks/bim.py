"""The basic iterative method, or I-FGSM (Kurakin et al., 2017, arXiv:1607.02533)."""

from typing import Annotated

from jaxbench import spec
from jaxbench.attacks.base import Attack
from jaxbench.attacks.parts import losses
from jaxbench.attacks.pgd import pgd


def bim(
  *,
  steps: int = 10,
  norm: str = "linf",
  loss: str | losses.Loss = "cross_entropy",
  relative_step: float = 2.5,
  keep_going: bool = False,
  draws: Annotated[int, spec.LATER] = 1,
) -> Attack:
  """Projected gradient descent from the image itself.

  Args:
    steps: the most gradient steps.
    norm: "linf" (the paper's), "l2" or "l1".
    loss: "cross_entropy", "margin", "dlr" or a function (logits [K], label []) -> [].
    relative_step: length of all steps together, in units of epsilon. 2.5 is that of torchattacks
      (10 steps of 2/255 at 8/255); 1.25 the paper's, 2 foolbox's, 3 RoZ's (20 steps of 0.15
      epsilon).
    keep_going: take all steps, fooled or not, and return the iterate of the largest loss, for
      transfer to another model.
    draws: above 1, the classifier is randomised: it is called as classifier(images, key=key), and
      losses and gradients are means over so many keys, others at every step.

  Raises:
    InputError: a value is out of range or a name unknown.
  """
  return pgd(
    steps=steps,
    norm=norm,
    loss=loss,
    random_start=False,
    relative_step=relative_step,
    keep_going=keep_going,
    draws=draws,
  )
