"""The judges of all data sets of a run, who share models and the number of slots."""

import dataclasses
import functools

from jaxbench import config, data, devices, models
from jaxbench.attacks.engine import batching
from jaxbench.evaluate import memory, programs
from jaxbench.evaluate.evaluator import Judge
from jaxbench.plan import Plan


class Judges:
  """Makes each judge when it is first asked for.

  Args:
    settings: of the run.
  """

  def __init__(self, settings: config.Config):
    self._settings = settings
    self._model = functools.cache(lambda name: devices.replicate(models.load(name)))
    self._judges: dict[str, Judge] = {}
    self.tally = batching.Tally()  # Of the white-box attacks on all data sets.
    self.source = functools.cache(lambda name: data.load(name, settings.data_root))

  def of(self, name: str) -> Judge:
    """That of a data set."""
    if name not in self._judges:
      space = self.source(name).label_space
      self._judges[name] = Judge(self._settings, space, self._model, self.tally)
    return self._judges[name]

  def use(self, slots: int) -> None:
    """Judges in so many slots on each device from now on."""
    self._settings = dataclasses.replace(self._settings, slots=slots)
    for judge in self._judges.values():
      judge.settings = self._settings

  def fitting(self, plan: Plan) -> int:
    """The most slots in which the data set with the hardest cell fits, if a block can fill them."""
    hardest = max(plan.cells, key=lambda cell: cell.cost)
    cells = [cell for cell in plan.cells if cell.data == hardest.data]
    filled = -(-min(self._settings.block, hardest.examples) // devices.mesh().size)
    return memory.most_slots(programs.of(self.of(hardest.data), cells), min(memory.MOST, filled))
