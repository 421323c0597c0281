"""Cells: a classifier on a data set under a perturbation, one number of the result each."""

import dataclasses
from collections.abc import Iterator
from typing import Any, NamedTuple

from jaxbench import data, models
from jaxbench.plan.classifiers import Absent, Classifier
from jaxbench.plan.perturbations import Perturbation
from jaxbench.records import wording


@dataclasses.dataclass(frozen=True)
class Cell:
  """A classifier on one data set under one perturbation."""

  classifier: Classifier
  data: str
  perturbation: Perturbation
  preprocess: models.Preprocess  # The model's own; of a transfer attack, its surrogate's.
  native: int | None  # The images' own size, where they are perturbed at it and resized inside.
  size: int  # Of what the model is given: all of that, or its centre where the image moves.
  examples: int
  fingerprint: str  # Hash of everything that can change an example's row; "" where it is not known.

  @property
  def model(self) -> str:
    """Its name."""
    return self.classifier.model

  @property
  def prompts(self) -> str | None:
    """The prompt set; None for a supervised model."""
    return self.classifier.prompts

  @property
  def seen_by(self) -> str:
    """The name of the model, or surrogate, for whose input images are perturbed."""
    return self.perturbation.seen_by(self.classifier).name

  @property
  def id(self) -> str:
    """Readable and unique."""
    setting = f"@{self.perturbation.setting}" if self.perturbation.setting else ""
    prompts = self.prompts or "supervised"
    name = f"{self.model}:{prompts}:{self.data}:{self.perturbation.text}{setting}"
    return f"{name}#{self.fingerprint}" if self.fingerprint else name

  @property
  def columns(self) -> dict[str, Any]:
    """Of `records.SCHEMA`: what all rows of the cell share."""
    return {"cell": self.id} | self._names

  @property
  def _names(self) -> dict[str, Any]:
    names = {"model": self.model, "data": self.data, "prompts": self.prompts}
    return names | {"perturbation": self.perturbation.text} | self.perturbation.columns

  @property
  def described(self) -> dict[str, Any]:
    """What `run.json` says of it."""
    perturbation = self.perturbation
    usual = dict.fromkeys(("severity", "sequence", "attack", "surrogate", "norm"))
    usual |= {"members": (), "epsilon": None, "tolerance": None}
    return (
      usual
      | self._names
      | perturbation.described
      | {
        "id": self.id,
        "kind": perturbation.kind,
        "setting": perturbation.setting,
        "knowledge": perturbation.knowledge,
        "stream": perturbation.stream,
        "forwards": perturbation.forwards,
        "backwards": perturbation.backwards,
        "preprocess": models.told(self.preprocess),
        "native": self.native,
        "prediction": self.classifier.passes,
        "size": self.size,
        "examples": self.examples,
        "fingerprint": self.fingerprint,
      }
    )

  @property
  def cost(self) -> int:
    """The most work for one example, a backward pass counted as two forward ones."""
    return self.perturbation.forwards + 2 * self.perturbation.backwards

  @property
  def passes(self) -> int:
    """The most work of the cell, counted so."""
    return self.examples * self.cost


class DataSet(NamedTuple):
  """What is known of a data set that has been opened."""

  examples: int  # In all.
  class_names: tuple[str, ...]
  label_space: data.LabelSpace
  sha256: str  # Of those that are evaluated; "" where it was not to be found out.
  sample: str  # Hash of their ids.


class Plan(NamedTuple):
  """Everything a run will do."""

  cells: tuple[Cell, ...]  # Perturbation by perturbation, so that models share the images.
  absent: tuple[Absent, ...]
  data: dict[str, DataSet]


def native(plan: Plan) -> Iterator[str]:
  """A sentence for each data set that is perturbed at its own size."""
  for name in plan.data:
    cells = [cell for cell in plan.cells if cell.data == name]
    if found := wording.where({cell.seen_by: cell.native for cell in cells}):
      yield f"{name}: perturbed {found}: epsilons there are not those at a model's input size"
