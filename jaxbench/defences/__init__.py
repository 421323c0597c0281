"""Test-time defences: pure functions of one image and a key around any pytree classifier.

`ttc(classifier)` is a classifier again: images float32 [B, H, W, 3] in [0, 1] -> logits [B, K].
Randomised ones take a key, `defended(images, key=key)`; without one they draw by their seed.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from jaxbench import errors, spec
from jaxbench.defences.anti_adversary import anti_adversary
from jaxbench.defences.base import BACKWARDS, Cost, Defence
from jaxbench.defences.certify import (
  ABSTAINS,
  Certificate,
  Certified,
  certificate,
  certified,
  certify,
  lower_bound,
  predict,
  votes,
)
from jaxbench.defences.clipure_cos import clipure_cos
from jaxbench.defences.csr import csr
from jaxbench.defences.dbd import dbd
from jaxbench.defences.et3 import et3
from jaxbench.defences.hedge import hedge
from jaxbench.defences.rtpt import Prompts, rtpt, tpt
from jaxbench.defences.smooth import Smooth, smooth
from jaxbench.defences.transform import Jpeg, transform
from jaxbench.defences.ttc import ttc
from jaxbench.defences.tte import tte

DEFENCES: dict[str, Callable[..., Defence]] = {
  "anti_adversary": anti_adversary,
  "clipure_cos": clipure_cos,
  "csr": csr,
  "dbd": dbd,
  "et3": et3,
  "hedge": hedge,
  "rtpt": rtpt,
  "smooth": smooth,
  "tpt": tpt,
  "transform": transform,
  "tte": tte,
  "ttc": ttc,
}

__all__ = [
  "ABSTAINS",
  "BACKWARDS",
  "DEFENCES",
  "Certificate",
  "Certified",
  "Cost",
  "Defence",
  "Prompts",
  "Smooth",
  "Supplies",
  "anti_adversary",
  "certificate",
  "certified",
  "certify",
  "clipure_cos",
  "csr",
  "dbd",
  "defend",
  "et3",
  "hedge",
  "lower_bound",
  "predict",
  "resolve",
  "rtpt",
  "smooth",
  "tpt",
  "transform",
  "ttc",
  "tte",
  "votes",
]


class Supplies(NamedTuple):
  """What some defences need besides the classifier, and texts cannot say."""

  blank: Callable[[], Any]  # The text embedding of prompts without a name: see `clipure_cos`.
  jpeg: Jpeg  # See `transform`.
  prompts: Callable[[], Prompts]  # Before the classifier's class names: see `rtpt`.


def resolve(texts: Sequence[str]) -> list[spec.Spec]:
  """The defences that texts name, as "ttc(steps=2)", the innermost first.

  Raises:
    InputError: one is unknown, or an argument of it.
  """
  return [spec.resolve(text, DEFENCES, "defence") for text in texts]


def defend(classifier: Any, defences: Sequence[spec.Spec], supplies: Supplies) -> Any:
  """The classifier, within all of the defences.

  Args:
    classifier: a pytree callable.
    defences: of `resolve`.
    supplies: for those that need them.

  Raises:
    InputError: a value is out of range, or a defence cannot be around what it is to be around.
  """
  for resolved in defences:
    more: dict[Callable[..., Defence], Callable[[], Any]] = {
      clipure_cos: supplies.blank,
      transform: lambda: supplies.jpeg,
      **dict.fromkeys((rtpt, tpt), supplies.prompts),
    }
    needed = [more[resolved.call]()] if resolved.call in more else []
    try:
      classifier = resolved.call(classifier, *needed, **resolved.arguments)
    except TypeError as error:
      raise errors.InputError(f"{resolved.text!r}: {error}") from error
  return classifier
