"""The section of a report on images with captions: recall both ways, clean and perturbed."""

from collections.abc import Iterable
from typing import NamedTuple

import pyarrow as pa

from jaxbench import metrics
from jaxbench.metrics import published
from jaxbench.records import directions, kinds, wording
from jaxbench.report import protocols
from jaxbench.report.classifiers import Classifier, Row
from jaxbench.report.lost import Losses, Lost
from jaxbench.report.protocols import Beside

_RAW = "raw captions"
_MUCH = 0.001  # Of recall, that hangs on the order of what is equal.


class Line(NamedTuple):
  """One classifier under one perturbation; by direction and k its recall, and a published one."""

  classifier: Classifier
  perturbation: str  # With its setting.
  cells: list[tuple[metrics.Proportion | None, Beside | None]]
  lost: list[Lost | None]  # Under attack.


class Retrieved(NamedTuple):
  """One set of images with captions."""

  name: str
  queries: dict[str, int]  # By direction.
  columns: list[tuple[str, int]]  # Direction in words, and k.
  lines: list[Line]
  unlike: list[str]  # How published numbers were measured otherwise.


def retrieved(rows: pa.Table, classifiers: list[Classifier], run: Row) -> list[Retrieved]:
  """All sets of a run whose images have captions.

  Args:
    rows: of `records.read_finished`.
    classifiers: of the run.
    run: run.json.
  """
  found = [*metrics.recalls(rows).to_pylist(), *metrics.recalls_over_folds(rows).to_pylist()]
  losses = Losses(rows, run)
  by_set: dict[str, list[Row]] = {}
  for row in found:
    by_set.setdefault(row["data"], []).append(row)
  return [_set(name, some, classifiers, run, losses) for name, some in by_set.items()]


def text_to_image(found: list[Retrieved]) -> dict[Classifier, metrics.Proportion]:
  """Recall at 1 of clean captions, of the first set; for the first screen."""
  column = _words(directions.TEXT_TO_IMAGE), 1
  if not found or column not in found[0].columns:
    return {}
  place = found[0].columns.index(column)
  clean = (line for line in found[0].lines if line.perturbation == kinds.CLEAN)
  return {line.classifier: share for line in clean if (share := line.cells[place][0])}


def hanging_on_order(rows: pa.Table) -> Iterable[Row]:
  """Recalls that an order of equal items could change by more than a tenth of a point."""
  for row in metrics.recalls(rows).to_pylist():
    worst = max(row[f"recall_{k}"] - row[f"recall_{k}_tied"] for k in metrics.AT)
    if worst > _MUCH:
      where = f"{row['model']}, {row['prompts']}, {_words(row['direction'])}"
      yield {
        "what": f"{row['perturbation']} on {row['data']}, {where}",
        "detail": f"up to {100 * worst:.1f} points of recall hang on the order of what is equally "
        "similar, which is counted for the model: look for captions or images that are there twice",
      }


def _set(
  name: str, some: list[Row], classifiers: list[Classifier], run: Row, losses: Losses
) -> Retrieved:
  ways = [way for way in directions.DIRECTIONS if any(row["direction"] == way for row in some)]
  columns = [(way, k) for way in ways for k in metrics.AT]
  settings = {(row["perturbation"], row["severity"], row["epsilon"]) for row in some}
  known = {(*_key(row), row["direction"]): row for row in some}
  cells = {cell["id"]: cell for cell in run["cells"]}
  lines = []
  for setting in sorted(settings, key=_order):
    for each in classifiers:
      of_line = {way: known.get((*each.key, *setting, way)) for way in ways}
      if any(of_line.values()):
        shown = [_cell(of_line[way], k, name, run, cells) for way, k in columns]
        title = " ".join(filter(None, (setting[0], wording.setting(*setting[1:]))))
        lost = [losses.of(of_line[way], k) for way, k in columns]
        lines.append(Line(each, title, shown, lost))
  queries = {way: max(row["queries"] for row in some if row["direction"] == way) for way in ways}
  unlike = protocols.notes(reference for line in lines for _, reference in line.cells)
  titles = [(_words(way), k) for way, k in columns]
  return Retrieved(name, queries, titles, lines, unlike)


def _order(setting: tuple[str, int | None, float | None]) -> tuple[bool, str, float]:
  """Clean captions first."""
  name, severity, epsilon = setting
  return name != kinds.CLEAN, name, severity or epsilon or 0


def _words(direction: str) -> str:
  return direction.replace("_", " ")


def _key(row: Row) -> tuple[str, str | None, str, int | None, float | None]:
  return row["model"], row["prompts"], row["perturbation"], row["severity"], row["epsilon"]


def _cell(
  row: Row | None, k: int, name: str, run: Row, cells: dict[str, Row]
) -> tuple[metrics.Proportion | None, Beside | None]:
  if row is None:
    return None, None
  share = metrics.Proportion(*(row[f"recall_{k}{end}"] for end in ("", "_low", "_high")))
  cell = cells[row["cell"]]
  reference = published.recall(row["model"], name, row["direction"]).get(k)
  if reference is None or cell["kind"] != kinds.CLEAN:
    return share, None
  other = () if row["prompts"] == _RAW else (f"captions: {row['prompts']} instead of {_RAW}",)
  differs = protocols.differences(reference.protocol, run, cell, row["queries"])
  return share, protocols.beside(reference, (*other, *differs))
