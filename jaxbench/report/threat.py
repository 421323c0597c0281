"""What is told of a threat beside its numbers: where images are perturbed, what is known."""

from jaxbench.records import wording
from jaxbench.report.classifiers import Row


def where(cells: list[Row]) -> str:
  """At which size images of some cells are perturbed, as `wording.where` has it."""
  return wording.where({cell["surrogate"] or cell["model"]: cell["native"] for cell in cells})


def briefly_where(cells: list[Row]) -> str:
  """At which size images of some cells are perturbed, for axes of plots."""
  sizes = {cell["native"] for cell in cells}
  native = next(iter(sizes - {None}), None)
  if native is None:
    return ""
  at = f" at {native} x {native}"
  return f"{at} pixels" if len(sizes) == 1 else f"{at} or models' pixels"


def knowledge(cells: list[Row]) -> str | None:
  """What the attacker of some cells knows; None without one, and in runs of the first versions."""
  return cells[0]["knowledge"]
