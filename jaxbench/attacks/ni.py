"""NI-FGSM, with Nesterov's momentum (Lin et al., 2020, arXiv:1908.06281, section 3.1)."""

from typing import Annotated

from jaxbench import spec
from jaxbench.attacks.base import Attack
from jaxbench.attacks.parts import losses
from jaxbench.attacks.si import si


def ni(
  *,
  steps: int = 10,
  loss: str | losses.Loss = "cross_entropy",
  decay: float = 1.0,
  relative_step: float = 1.0,
  keep_going: bool = False,
  draws: Annotated[int, spec.LATER] = 1,
) -> Attack:
  """`mim` in linf, with the gradient at the point where the momentum alone would lead.

  The other arguments are those of `mim`.

  Args:
    steps: each is a forward pass at the image, and a forward and a backward pass at the point.
    draws: as for `pgd`.

  Raises:
    InputError: a value is out of range or a name unknown.
  """
  return si(
    steps=steps,
    loss=loss,
    decay=decay,
    relative_step=relative_step,
    copies=1,
    keep_going=keep_going,
    draws=draws,
  )
