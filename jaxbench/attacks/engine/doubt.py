"""A reason not to trust a figure."""

from typing import NamedTuple


class Doubt(NamedTuple):
  """One reason not to trust a figure."""

  name: str  # Stable, for programs.
  detail: str  # What was seen, how often, and what to do.
