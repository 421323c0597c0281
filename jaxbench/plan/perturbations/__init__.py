"""What is done to examples: a kind is a file here, a row of `KINDS` and one of `ASKED`."""

from collections.abc import Iterator

from jaxbench import config
from jaxbench.plan.classifiers import Absent
from jaxbench.plan.perturbations import (
  attack,
  certificate,
  clean,
  corruption,
  joint,
  sequence,
  stylization,
  targeted,
  text_attack,
  transfer,
  typography,
  universal,
)
from jaxbench.plan.perturbations.attack import Attack, Smallest
from jaxbench.plan.perturbations.base import Columns, Evaluator, Perturbation, Target
from jaxbench.plan.perturbations.certificate import Certificate
from jaxbench.plan.perturbations.clean import Clean
from jaxbench.plan.perturbations.corruption import Corruption
from jaxbench.plan.perturbations.joint import Joint
from jaxbench.plan.perturbations.sequence import Sequence
from jaxbench.plan.perturbations.stylization import Stylization
from jaxbench.plan.perturbations.targeted import Targeted
from jaxbench.plan.perturbations.text_attack import TextAttack
from jaxbench.plan.perturbations.transfer import SmallestTransfer, Transfer
from jaxbench.plan.perturbations.typography import Typography
from jaxbench.plan.perturbations.universal import Universal

__all__ = [
  "KINDS",
  "Attack",
  "Certificate",
  "Clean",
  "Columns",
  "Corruption",
  "Evaluator",
  "Joint",
  "Perturbation",
  "Sequence",
  "Smallest",
  "SmallestTransfer",
  "Stylization",
  "Target",
  "Targeted",
  "TextAttack",
  "Transfer",
  "Typography",
  "Universal",
  "of_surrogates",
  "of_targets",
  "on_both_sides",
]

_ALONE = (
  *(clean, corruption, sequence, stylization, typography, universal, text_attack),
  *(attack, targeted, certificate),
)

KINDS: dict[str, type[Perturbation]] = {
  kind.kind: kind
  for kind in (
    Clean,
    Corruption,
    Sequence,
    Stylization,
    Typography,
    Universal,
    TextAttack,
    Attack,
    Smallest,
    Targeted,
    Transfer,
    SmallestTransfer,
    Joint,
    Certificate,
  )
}


def of_targets(settings: config.Config, absent: list[Absent]) -> Iterator[Perturbation]:
  """All that a config asks for but transfer: what needs no model besides the one that is evaluated.

  What cannot be made becomes absent.

  Raises:
    InputError: a corruption, overlay or attack is unknown or cannot be run from a config.
  """
  for kind in _ALONE:
    yield from kind.wanted(settings, absent)


of_surrogates = transfer.wanted
on_both_sides = joint.wanted
