"""The programs that cells spend their time in, to know what memory they need."""

import functools

import jax
import numpy as np

from jaxbench import attacks, devices
from jaxbench.attacks.engine import batching
from jaxbench.evaluate import evaluator, memory
from jaxbench.plan import Cell


def of(judging: evaluator.Judge, cells: list[Cell]) -> list[memory.Program]:
  """Of each attack and each model once; what corruptions need is little beside."""
  kinds = {
    (cell.members or cell.model, cell.attack, cell.tolerance is None): cell for cell in cells
  }
  return [program for cell in kinds.values() for program in _of_cell(judging, cell)]


def _of_cell(judging: evaluator.Judge, cell: Cell) -> list[memory.Program]:
  if cell.attack is None:
    classifier = judging.classifier(cell.model, cell.prompts)
    return [memory.Program(classifier, functools.partial(_prediction, classifier, cell.size))]
  if cell.members:
    searcher = judging.surrogate(cell.members)
  else:
    searcher = judging.searchers(cell.model, cell.prompts)[0]

  def trace(attack: attacks.Attack, slots: int) -> jax.stages.Traced:
    tolerance = None if cell.members else cell.tolerance  # Targets bisect outside the slots.
    settings = batching.Settings(slots, judging.settings.attacks.quantize, tolerance)
    return batching.trace(attack, searcher, settings, cell.preprocess.size)

  stages = evaluator.cascade(cell).attacks
  return [memory.Program(searcher, functools.partial(trace, attack)) for attack in stages]


def _prediction(classifier: devices.Replicated, side: int, slots: int) -> jax.stages.Traced:
  rows = slots * devices.mesh().size
  images = jax.ShapeDtypeStruct((rows, side, side, 3), np.float32)
  labels = jax.ShapeDtypeStruct((rows,), np.int32)
  return evaluator.prediction().trace(classifier, *devices.scattered((images, labels)))
