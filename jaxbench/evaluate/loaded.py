"""What a run has loaded: models and data sets, and an evaluator of each data set."""

import functools

from jaxbench import config, data, devices, models, seats
from jaxbench.attacks.engine import batching
from jaxbench.evaluate import memory, programs
from jaxbench.evaluate.caption_queries import CaptionQueries
from jaxbench.evaluate.evaluator import Evaluator
from jaxbench.evaluate.galleries import Galleries
from jaxbench.evaluate.heads import Heads
from jaxbench.evaluate.image_queries import ImageQueries
from jaxbench.evaluate.probing import OptionQueries
from jaxbench.evaluate.reading import TextQueries
from jaxbench.evaluate.slots import Slots
from jaxbench.plan import Plan, defending


class Loaded:
  """Loads each model, and opens each data set, when it is first asked for.

  Args:
    settings: of the run.
    slots: of the run.
    heads: of the run.
    galleries: of the run.
  """

  def __init__(self, settings: config.Config, slots: Slots, heads: Heads, galleries: Galleries):
    self._settings, self._slots = settings, slots
    self._heads, self._galleries = heads, galleries
    self._base = functools.cache(lambda name: devices.replicate(models.load(name)))
    self.tally = batching.Tally()  # Of the attacks on all data sets.
    self.source = functools.cache(lambda name: data.load(name, settings.data_root))
    self.evaluator = functools.cache(self._evaluator)

  def _model(self, name: str) -> devices.Replicated:
    """The model of that name, without its defences."""
    return self._base(defending.base(name))

  def _evaluator(self, name: str) -> Evaluator:
    """That of a data set."""
    source = self.source(name)
    space, model = source.label_space, self._model
    given = self._settings, space, model, self._heads, self._slots, self.tally
    if isinstance(source, data.Texts):
      return TextQueries(*given)
    if isinstance(source, data.Captions):
      return CaptionQueries(self._galleries, source.pairs, *given)
    if isinstance(source, data.Images):
      return ImageQueries(self._galleries, source.pairs, *given)
    if isinstance(space, data.OptionSpace):
      return OptionQueries(*given)
    return Evaluator(*given)

  def fastest(self, plan: Plan) -> int:
    """The fastest slots for the data set with the hardest cell, of those that fit the memory."""
    seen = [cell for cell in plan.cells if self.source(cell.data).image_size != 0] or plan.cells
    hardest = max(seen, key=lambda cell: (cell.cost, cell.examples))
    cells = [cell for cell in plan.cells if cell.data == hardest.data]
    names = {cell.model for cell in cells}
    names |= {member.model for cell in cells for member in cell.perturbation.members}
    largest = max((self._model(name).leaves for name in sorted(names)), key=seats.weight)
    block = min(self._settings.block, hardest.examples)
    count = seats.fastest(largest, block, seats.MOST)
    if isinstance(self.source(hardest.data), data.Texts):
      return count  # An attack on texts has batches of its own.
    if seats.on_cpu() and seats.is_small(largest):
      return count  # Which fits anywhere.
    most = memory.most_slots(programs.of(self.evaluator(hardest.data), cells), count)
    return seats.even(block, most)
