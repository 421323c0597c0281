"""An attack on texts: on those of a set of texts, or on captions that look for their images."""

import dataclasses
import pathlib
from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from jaxbench import attacks, config, errors, models, spec
from jaxbench.blocks import Block
from jaxbench.plan import defending
from jaxbench.plan.classifiers import Absent, Classifier
from jaxbench.plan.perturbations.base import (
  Columns,
  Evaluator,
  Judged,
  Passes,
  Perturbation,
  Target,
)
from jaxbench.records import kinds

# Away from what is right: from its class or image, from its own features. The others are towards
# something, which has to be named.
_OBJECTIVES = ("margin", "dissim", "l2", "kl")
KIND = "attack on texts"
_LENGTH = 250  # Characters that a text is planned with; AG-News has 236, captions 50.


@dataclasses.dataclass(frozen=True, kw_only=True)
class TextAttack(Perturbation):
  """Edits of characters, or of listed words."""

  kind: ClassVar[str] = kinds.TEXT_ATTACK
  field: ClassVar[str] = "text_attacks.names"

  attack: attacks.text.TextAttack
  shares_images: bool = False
  one_label: bool = True
  knowledge: str | None = "what the model says of candidates: no gradients"

  def unfit(self, classifier: Classifier) -> str | None:
    """See `Perturbation`."""
    return unread(classifier)

  def passes(self, model: str) -> Iterator[Passes]:
    """See `Perturbation`: of the text tower."""
    yield Passes(model, self.forwards, 0, reads=True)

  def evaluate(self, evaluator: Evaluator, targets: list[Target], block: Block) -> Iterator[Judged]:
    """See `Perturbation`; of one target, some texts at a time."""
    (target,) = targets
    lacking = np.flatnonzero(target.lacking)
    if "tied" not in target.clean:  # Of ranks, those beyond the first count too.
      wrong = target.clean["prediction"][lacking] != block.labels[lacking]
      yield target, lacking[wrong], _untouched(target, lacking[wrong])
      lacking = lacking[~wrong]
    for start in range(0, len(lacking), attacks.text.TOGETHER):
      rows = lacking[start : start + attacks.text.TOGETHER]
      clean = {name: np.array(each) for name, each in target.found(rows).items()}
      columns = evaluator.rewritten(target.member, self, block.at(rows), clean)
      yield target, rows, columns | self._protocol(len(rows), target)

  def _protocol(self, rows: int, target: Target) -> Columns:
    """Of captions: one is attacked among images as they are."""
    return {"protocol": ["query"] * rows} if "tied" in target.clean else {}


def unread(classifier: Classifier) -> str | None:
  """Why a model cannot read whatever an attack writes, or None."""
  shape = models.describe(defending.base(classifier.model)).config
  if isinstance(shape, models.CustomConfig):
    return "it reads texts by a function of its own, outside of programs"
  if isinstance(shape, models.CLIPConfig) and shape.vocabulary is not None:
    return "its vocabulary was cut, and has no characters to write"
  return None


def _untouched(target: Target, rows: np.ndarray) -> Columns:
  """What stands for an attack where the text is misclassified as it is."""
  none = np.zeros(len(rows), np.int32)
  kept = {name: target.clean[name][rows] for name in ("prediction", "text")}
  costs = {"edits": none, "candidates": none, "forwards": none + 1, "backwards": none}
  return kept | costs | {"success": none == 0}


def wanted(settings: config.Config, absent: list[Absent]) -> Iterator[TextAttack]:
  """All that a config asks for.

  Raises:
    InputError: one is unknown, or is towards something, which a run does not name.
  """
  del absent
  for text in settings.text_attacks.names:
    resolved = spec.resolve(text, attacks.text.ATTACKS, KIND)
    made = built(resolved)
    if made.attack.objective not in _OBJECTIVES and made.attack.target is None:
      raise errors.InputError(
        f"--config.text_attacks.names: {resolved.text} goes towards a target: name the sentence, "
        f"target='...', or take an objective of {', '.join(_OBJECTIVES)}"
      )
    yield made


def built(resolved: spec.Spec) -> TextAttack:
  """What a resolved spec asks for, known by the content of its files.

  Raises:
    InputError: an argument is out of range, or a file cannot be read.
  """
  attack = spec.build(resolved)
  name, everything = spec.parse(resolved.full, KIND)
  places = {each: pathlib.PurePath(everything[each]).name for each in attack.files}
  return TextAttack(
    text=spec.write(name, resolved.arguments | places),
    stream=spec.write(name, everything | attack.files),
    forwards=2 + attack.most_candidates(_LENGTH),
    attack=attack,
  )
