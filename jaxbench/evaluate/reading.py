"""Texts: what models say of them, as they are and attacked."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from jaxbench import attacks, data, devices
from jaxbench.blocks import Block
from jaxbench.config import Member
from jaxbench.evaluate import galleries, predicting
from jaxbench.evaluate.evaluator import Evaluator
from jaxbench.plan.perturbations import Columns, TextAttack


class TextQueries(Evaluator):
  """The models of a set of texts, whose classes are other texts."""

  def clean(self, members: Sequence[Member], block: Block) -> list[Columns]:
    """Predictions on the texts as they are."""
    texts = _texts(block)
    return [
      self._answers(member, texts, block) | {"text": np.array(texts, object)} for member in members
    ]

  def rewritten(self, member: Member, wanted: TextAttack, block: Block, clean: Columns) -> Columns:
    """Predictions on attacked texts; see `Evaluator`."""
    loaded, texts = self._model(member.model).tree(), _texts(block)
    anchors = self.classifier(member).tree().text.T
    found = attacked(wanted, loaded, texts, anchors, block, self.settings.seed)
    prediction = self._answers(member, found.texts, block)["prediction"]
    same = np.array([one == other for one, other in zip(texts, found.texts, strict=True)])
    prediction = np.where(same, clean["prediction"], prediction)
    return columns(found) | {"prediction": prediction, "success": prediction != block.labels}

  def _answers(self, member: Member, texts: list[str], block: Block) -> Columns:
    tokens = self._model(member.model).tree().tokenize(texts)
    arrays = tokens, block.labels, block.hashes
    program = predicting.prediction(self.scored)
    batches = devices.stream(program, self.classifier(member), arrays, self.slots)
    parts = [vars(batch.fetch()) for batch in batches]
    known = [name for name, column in parts[0].items() if column is not None]
    none = np.zeros(len(texts), np.int32)
    found = {name: np.concatenate([part[name] for part in parts]) for name in known}
    return found | {"forwards": none + 1, "backwards": none}

  def _load(self, member: Member) -> devices.Replicated:
    """The classifier of tokens: that of images, with the tower that reads for the one that sees."""
    loaded, classifier, _ = self.parts(member)
    return devices.replicate(dataclasses.replace(classifier, visual=loaded.text))


def attacked(
  wanted: TextAttack,
  loaded: Any,
  texts: list[str],
  anchors: Any,
  block: Block,
  seed: int,
) -> attacks.text.Result:
  """What an attack makes of the texts of a block.

  Args:
    wanted: the attack.
    loaded: the model.
    texts: [N], as it reads them.
    anchors: float32 [K, D], among which labels are what is right.
    block: of these examples.
    seed: of the run.
  """
  own = wanted.attack.objective in ("l2", "kl")  # Away from the text itself: LEAF's, Co-Attack's.
  return attacks.text.run(
    wanted.attack,
    encoder(loaded),
    loaded.tokenize,
    texts,
    None if own else anchors,
    None if own else block.labels,
    seed=seed,
    ids=[f"{wanted.stream} {name}" for name in block.ids],
    lengths=loaded.lengths,
  )


def columns(found: attacks.text.Result) -> Columns:
  """What an attack tells of itself; its looks at the text before and after are passes too."""
  none = np.zeros(len(found.texts), np.int32)
  costs = {"forwards": found.candidates + 2, "backwards": none}
  return costs | {"text": found.texts, "edits": found.edits, "candidates": found.candidates}


def encoder(loaded: Any) -> attacks.text.Encoder:
  """A model's encoder of tokens."""
  return jax.tree_util.Partial(_read, loaded.text)


def _read(tower: Any, tokens: jax.Array) -> jax.Array:
  return tower(tokens)


def embedded(loaded: Any, texts: list[str], slots: int) -> np.ndarray:
  """float32 [N, D] of texts, unit rows, in batches of one shape."""
  batches = devices.stream(
    galleries.embed(), devices.replicate(loaded.text), (loaded.tokenize(texts),), slots
  )
  return np.concatenate([batch.fetch() for batch in batches])


def _texts(block: Block) -> list[str]:
  assert isinstance(block.source, data.Texts)
  return [block.source.texts[index] for index in block.indices]
