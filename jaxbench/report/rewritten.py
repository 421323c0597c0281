"""The section of a report on attacked texts."""

from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from jaxbench import metrics, records
from jaxbench.records import kinds
from jaxbench.report.classifiers import Classifier

_SHOWN = 4  # Sentences of each cell.


class Sentence(NamedTuple):
  """One that an attack has turned."""

  example: str
  before: str | None  # Records have it of sets of texts alone.
  after: str


class Line(NamedTuple):
  """One classifier under one attack."""

  classifier: Classifier
  found: metrics.TextAttacked
  sentences: list[Sentence]


class Section(NamedTuple):
  """One set."""

  name: str
  ranked: bool  # Whether its texts are captions.
  at: list[int]  # Of recall.
  lines: list[Line]


def sections(rows: pa.Table, classifiers: list[Classifier]) -> list[Section]:
  """All sets of a run whose texts are attacked.

  Args:
    rows: of `records.read_finished`.
    classifiers: of the run.
  """
  by_key = {each.key: each for each in classifiers}
  by_cell = records.by_cell(rows)
  by_set: dict[str, list[Line]] = {}
  for found in metrics.text_attacks(rows):
    if (each := by_key.get((found.model, found.prompts))) is not None:
      line = Line(each, found, _sentences(by_cell[found.cell], rows))
      by_set.setdefault(found.data, []).append(line)
  return [_section(name, lines) for name, lines in by_set.items()]


def left(found: list[Section]) -> tuple[str, dict[Classifier, tuple[float, None, None]]] | None:
  """What the first attack on the first set leaves of it, and what that is; for the first screen."""
  if not found:
    return None
  first = found[0].lines[0].found.perturbation
  shares = {
    line.classifier: (line.found.drops[1].attacked, None, None)
    for line in found[0].lines
    if line.found.perturbation == first
  }
  what = "R@1 of captions" if found[0].ranked else "accuracy"
  return f"{what} on {found[0].name} under {first}", shares


def _section(name: str, lines: list[Line]) -> Section:
  first = lines[0].found
  return Section(name, first.ranks is not None, list(first.drops), lines)


def _sentences(table: pa.Table, rows: pa.Table) -> list[Sentence]:
  """The first that were right and are turned."""
  changed = pc.greater(table["edits"], 0)
  turned = table.filter(pc.and_(table["success"], changed)).slice(0, _SHOWN)
  names = turned["example"].to_pylist()
  data = table["data"][0].as_py()
  clean = rows.filter(records.is_value(rows["perturbation"], kinds.CLEAN))
  clean = clean.filter(records.is_value(clean["data"], data))
  clean = clean.filter(pc.is_in(clean["example"], pa.array(names, pa.string())))
  before = dict(zip(clean["example"].to_pylist(), clean["text"].to_pylist(), strict=True))
  pairs = zip(names, turned["text"].to_pylist(), strict=True)
  return [Sentence(name, before.get(name), text) for name, text in pairs]
