"""Ranks: where what belongs to a query stands among all that could be found."""

from jaxbench.retrieval.ranks import (
  NOTHING,
  ROWS,
  TOLERANCE,
  Gallery,
  Ranks,
  find,
  judged,
  members,
  ranks,
)

__all__ = ["NOTHING", "ROWS", "TOLERANCE", "Gallery", "Ranks", "find", "judged", "members", "ranks"]
