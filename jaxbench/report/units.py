"""How figures of the first screen are written."""

import math

from jaxbench.records import wording
from jaxbench.report.first import Value


def percent(share: float) -> str:
  """Without the sign."""
  return f"{100 * share:.1f}"


def epsilon(value: float | None, norm: str) -> str:
  """An epsilon in the unit that people use for the norm; – where the data do not say."""
  if value is None or math.isinf(value):
    return "–" if value is None else "∞"
  return wording.format_distance(value, in_levels=norm == "linf")


def decibels(value: float) -> str:
  """∞ where nothing has changed."""
  return "∞" if math.isinf(value) else f"{value:.1f} dB"


def figure(found: Value, unit: str) -> str:
  """In the unit of its column, which stands at the head."""
  return _in_unit(found.value, unit)


def interval(found: Value, unit: str) -> str:
  """Its ends, "" where it has none."""
  if found.low is None and found.high is None:
    return ""
  ends = ["–" if end is None else _in_unit(end, unit) for end in (found.low, found.high)]
  return " to ".join(ends)


def unit_of(unit: str) -> str:
  """What stands below the head of a column; "" of a percentage."""
  if unit in ("share", "relative"):
    return ""
  return {"lost": "points", "linf": "linf, /255"}.get(unit, unit)


def _in_unit(value: float, unit: str) -> str:
  if unit == "points":
    return f"{100 * value:+.1f}"
  if unit in ("share", "relative", "lost"):
    return percent(value)
  return epsilon(value, unit).removesuffix("/255")
