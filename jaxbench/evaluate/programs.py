"""The programs that cells spend their time in, to know what memory they need."""

import functools
from collections.abc import Hashable

import jax
import numpy as np

from jaxbench import attacks, config, devices
from jaxbench.attacks.engine import batching
from jaxbench.evaluate import memory
from jaxbench.evaluate.evaluator import Evaluator
from jaxbench.evaluate.predicting import prediction
from jaxbench.plan import Cell
from jaxbench.plan.perturbations.base import Search


def of(evaluator: Evaluator, cells: list[Cell]) -> list[memory.Program]:
  """Of each search and each model once; what corruptions need is little beside."""
  programs: dict[Hashable, memory.Program] = {}
  for cell in cells:
    member = config.Member(cell.model, cell.prompts)
    searches = cell.perturbation.searches(evaluator, member)
    for search in searches:
      quantize = evaluator.settings.attacks.quantize
      trace = functools.partial(_search, search, quantize, cell.preprocess.size)
      key = search.models, search.attack, search.tolerance is None
      programs[key] = memory.Program(search.searcher, trace)
    if not searches:
      classifier = evaluator.classifier(member)
      trace = functools.partial(_prediction, classifier, evaluator.scored, cell.size)
      programs[member.model] = memory.Program(classifier, trace)
  return list(programs.values())


def _search(search: Search, quantize: bool, side: int, slots: int) -> jax.stages.Traced:
  aimed = isinstance(search.searcher.tree(), attacks.Aimed)
  settings = batching.Settings(slots, quantize, search.tolerance, aimed=aimed)
  return batching.trace(search.attack, search.searcher, settings, side)


def _prediction(
  classifier: devices.Replicated, scored: bool, side: int, slots: int
) -> jax.stages.Traced:
  rows = slots * devices.mesh().size
  images = jax.ShapeDtypeStruct((rows, side, side, 3), np.float32)
  labels = jax.ShapeDtypeStruct((rows,), np.int32)
  hashes = jax.ShapeDtypeStruct((rows, 2), np.uint32)
  return prediction(scored).trace(classifier, *devices.scattered((images, labels, hashes)))
