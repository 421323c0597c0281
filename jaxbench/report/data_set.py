"""What a report says of one data set of a run."""

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

import pyarrow as pa

from jaxbench import metrics, records
from jaxbench.records import kinds
from jaxbench.report import (
  albums,
  attacked,
  budgets,
  by_setting,
  classes,
  corrupted,
  costs,
  on_disk,
  pairs,
  published,
  searches,
  stability,
  threat,
  transfers,
  trust,
  typographic,
  universals,
  visible,
)
from jaxbench.report.classifiers import ByCell, Classifier, Row


class DataSet(NamedTuple):
  """Everything about one data set."""

  name: str
  examples: int
  where: str  # At which size images are perturbed; "" if at the models' own.
  metric: str  # That papers report of it.
  kinds: set[str]  # Of what is done to its images.
  class_names: list[str]
  tables: list[by_setting.Table]
  corrupted: corrupted.Corrupted | None
  attacked: attacked.Attacked | None
  targeted: list[by_setting.Table]
  costs: costs.Costs | None
  visible: list[visible.Visible]
  classes: list[classes.Classes]
  sequences: stability.Sequences | None
  searches: list[searches.Search]
  budgets: list[str]  # SVGs of attacks: accuracy over queries, or over steps.
  transfers: list[transfers.Transfer]
  universals: list[universals.Universal]
  published: list[published.Published]
  published_clean: list[published.Clean]
  texts: list[typographic.Text]
  calibration: trust.Calibration | None
  weakest: list[trust.Weak]
  pairs: pairs.Pairs
  albums: list[albums.Album]

  @property
  def assaulted(self) -> bool:
    """Whether an adversary has had its images."""
    alone = self.attacked or self.targeted or self.searches or self.universals
    return bool(alone or self.transfers)

  @property
  def worsened(self) -> bool:
    """Whether its images were shown corrupted, as sequences, or stylized."""
    stylized = any(table.kind == kinds.STYLIZATION for table in self.tables)
    return bool(self.corrupted or self.sequences or stylized)


# By kind, which part of a data set's section tells of a cell.
_TOLD_IN = {
  kinds.CLEAN: "tables",
  kinds.CORRUPTION: "tables",
  kinds.STYLIZATION: "tables",
  kinds.UNIVERSAL: "tables",
  kinds.ATTACK: "tables",
  kinds.TARGETED: "targeted",
  kinds.TYPOGRAPHY: "texts",
  kinds.SEQUENCE: "sequences",
  kinds.SMALLEST: "searches",
  kinds.SMALLEST_TRANSFER: "searches",
  kinds.TRANSFER: "transfers",
  kinds.JOINT: "transfers",
  kinds.TEXT_ATTACK: "rewritten",  # A section of its own.
  kinds.CERTIFIED: "certificates",  # A part of the section on defences.
}


def data_set(
  name: str,
  run: dict[str, Any],
  rows: pa.Table,
  by_cell: ByCell,
  summary: dict[str, Row],
  classifiers: list[Classifier],
) -> DataSet:
  """All that a report says of one data set.

  Args:
    name: of the data set.
    run: run.json, as `on_disk.gathered` has it.
    rows: of the run.
    by_cell: the same, by the cell's id.
    summary: lines of `metrics.summarize`, by the cell's id.
    classifiers: of the run.
  """
  everything = [cell for cell in run["cells"] if cell["data"] == name]
  if name == on_disk.NAME:
    rows = metrics.corrupted_on_disk(rows)
    by_cell = records.by_cell(rows)
  parts: dict[str, list[Row]] = {part: [] for part in _TOLD_IN.values()}
  of_kind: dict[str, list[Row]] = {kind: [] for kind in _TOLD_IN}
  for cell in everything:
    parts[_TOLD_IN[cell["kind"]]].append(cell)
    of_kind[cell["kind"]].append(cell)
  clean, corruptions = of_kind[kinds.CLEAN], of_kind[kinds.CORRUPTION]
  own_attacks = of_kind[kinds.ATTACK] + of_kind[kinds.SMALLEST]
  tables = _tables(parts["tables"], summary, classifiers)
  targeted = _tables(parts["targeted"], summary, classifiers)
  texts = [
    typographic.text(cells, by_cell, classifiers) for cells in _by_perturbation(parts["texts"])
  ]
  shown = albums.choose(
    [*tables, *targeted],
    texts,
    parts["transfers"],
    parts["searches"],
    parts["sequences"],
    classifiers,
  )
  class_names = run["data"][name]["class_names"]
  metric = run["data"][name].get("metric", "")  # Runs of before have none.
  captioned = metric in (metrics.RECALL, metrics.PREFERRED)  # Whose classes tell nothing.
  groups = {} if captioned else trust.groups_of(everything)
  return DataSet(
    name=name,
    examples=everything[0]["examples"] if everything else 0,
    where=threat.where(everything),
    metric=metric,
    kinds={kind for kind, cells in of_kind.items() if cells},
    class_names=class_names,
    tables=tables,
    corrupted=corrupted.corrupted(name, clean, corruptions, by_cell, classifiers, run),
    attacked=attacked.attacked(clean, own_attacks, by_cell, classifiers, run),
    targeted=targeted,
    costs=costs.costs(everything, by_cell, classifiers),
    visible=visible.visible(everything, by_cell),
    classes=classes.by_class(groups, by_cell, classifiers),
    sequences=stability.sequences(name, parts["sequences"], by_cell, classifiers, run),
    searches=searches.searches(parts["searches"], by_cell, classifiers, run["identity"]),
    budgets=list(budgets.budgets(tables, by_cell)),
    universals=universals.universals(tables, by_cell),
    transfers=transfers.transfers(parts["transfers"], summary, classifiers),
    published_clean=published.of_clean(name, metric, tables, run),
    published=[
      table for each in run["published"] if (table := published.beside(each, name, tables, run))
    ],
    texts=texts,
    calibration=trust.calibration(everything, by_cell, summary, classifiers),
    weakest=trust.weakest(groups, by_cell, classifiers),
    pairs=pairs.pairs(tables, by_cell, classifiers),
    albums=albums.albums(shown, everything, by_cell, class_names, run["identity"]["config"]),
  )


def _by_perturbation(cells: list[Row]) -> Iterator[list[Row]]:
  for _, group in itertools.groupby(cells, key=lambda cell: cell["perturbation"]):
    yield list(group)


def _tables(
  cells: list[Row], summary: dict[str, Row], classifiers: list[Classifier]
) -> list[by_setting.Table]:
  """One for each perturbation, the clean images first."""
  tables: list[by_setting.Table] = []
  for same in _by_perturbation(cells):
    clean = tables[0] if tables and tables[0].kind == kinds.CLEAN else None
    name = same[0]["perturbation"]
    tables.append(by_setting.table(name, same, summary, classifiers, clean))
  return tables
