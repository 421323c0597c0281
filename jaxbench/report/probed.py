"""The section of a report on probes of composition."""

from typing import NamedTuple

import pyarrow as pa

from jaxbench import metrics
from jaxbench.records import kinds, wording
from jaxbench.report.classifiers import Classifier

_FEW = 12  # Kinds that have columns of their own.


class Line(NamedTuple):
  """One classifier under one perturbation."""

  classifier: Classifier
  under: str
  found: metrics.Probed


class Section(NamedTuple):
  """One probe."""

  name: str
  cases: int
  chance: float
  kinds: list[str]  # That have columns; none where they are one or too many.
  several: int  # Kinds that there are.
  paired: bool  # Whether it is Winoground's.
  lines: list[Line]


def sections(rows: pa.Table, classifiers: list[Classifier]) -> list[Section]:
  """All probes of a run.

  Args:
    rows: of `records.read_finished`.
    classifiers: of the run.
  """
  by_set: dict[str, list[metrics.Probed]] = {}
  for found in metrics.probes(rows):
    by_set.setdefault(found.data, []).append(found)
  return [_section(name, some, classifiers) for name, some in by_set.items()]


def _section(name: str, some: list[metrics.Probed], classifiers: list[Classifier]) -> Section:
  by_key = {each.key: each for each in classifiers}
  some = sorted(some, key=_order)
  lines = [
    Line(by_key[found.model, found.prompts], _under(found), found)
    for found in some
    if (found.model, found.prompts) in by_key
  ]
  first = some[0]
  several = len(first.by_kind)
  return Section(
    name,
    max(found.cases for found in some),
    1 / first.options,
    list(first.by_kind) if 1 < several <= _FEW else [],
    several,
    any(found.pairs for found in some),
    lines,
  )


def _under(found: metrics.Probed) -> str:
  setting = wording.setting(found.severity, found.epsilon)
  return " ".join(filter(None, (found.perturbation, setting)))


def _order(found: metrics.Probed) -> tuple[bool, str, float, str]:
  """Clean images first."""
  strength = found.severity or found.epsilon or 0
  return found.perturbation != kinds.CLEAN, found.perturbation, strength, found.model
