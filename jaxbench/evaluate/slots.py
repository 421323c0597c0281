"""How many examples each device works on at once: one number, for all that a run computes."""

import sys
from collections.abc import Callable

from absl import logging

from jaxbench import config, errors, records


class Slots:
  """The number of slots on each device, as the run's processes have it in common.

  Args:
    store: of the run, where a number is written that is not the config's.
    configured: what the config says; AUTO is the fastest.
  """

  def __init__(self, store: records.Store, configured: int):
    self._store = store
    self.count = store.slots() or configured
    self.warnings: list[dict[str, str]] = []

  def settle(self, fastest: Callable[[], int]) -> None:
    """Replaces AUTO by what is the fastest, or by what another process has settled on before."""
    if self.count == config.AUTO:
      self.count = self._store.settle(fastest())
      print(f"jaxbench: {self.count} slots on each device", file=sys.stderr, flush=True)

  def halve(self) -> None:
    """Goes on with half of them, after a device's memory was full.

    Raises:
      InputError: there is only one.
    """
    if self.count == 1:
      raise errors.InputError(
        "a device's memory is full although each device works on one example at a time; what was "
        "written stays good. The same command continues the run on devices with more memory; or "
        "leave out the largest of --config.models"
      )
    detail = (
      f"a device's memory was full with {self.count} slots; rows from there on were made in "
      f"{self.count // 2}, which may round floats otherwise"
    )
    logging.warning("%s", detail)
    self.warnings.append({"what": "memory", "name": "out_of_memory", "detail": detail})
    self.count //= 2
    self._store.lower(self.count)
