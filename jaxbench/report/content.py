"""What a report says of one run: plain values, ready for the page's template."""

import collections
import itertools
import json
from typing import Any, NamedTuple

import pyarrow as pa
from etils import epath

from jaxbench import metrics, records
from jaxbench.report import (
  albums,
  natural,
  on_disk,
  overlap,
  pairs,
  plots,
  published,
  searches,
  sections,
  spent,
  stability,
  trust,
)
from jaxbench.report.doubts import doubts
from jaxbench.report.sections import Classifier, Row

_UNFINISHED = "not computed yet; the same command continues the run"


class DataSet(NamedTuple):
  """Everything about one data set."""

  name: str
  examples: int
  where: str  # At which size images are perturbed; "" if at the models' own.
  class_names: list[str]
  tables: list[sections.Table]
  corrupted: sections.Corrupted | None
  sequences: stability.Sequences | None
  searches: list[searches.Search]
  budgets: list[str]  # SVGs of attacks: accuracy over queries, or over steps.
  transfers: list[sections.Transfer]
  published: list[published.Published]
  texts: list[sections.Text]
  calibration: trust.Calibration | None
  weakest: list[trust.Weak]
  pairs: pairs.Pairs
  albums: list[albums.Album]


class Run(NamedTuple):
  """Everything about one run."""

  workdir: str
  run: dict[str, Any]  # run.json.
  config: str
  summary: pa.Table  # Of `metrics.summarize`.
  classifiers: list[Classifier]
  data: list[DataSet]
  natural: natural.Natural | None
  shifts: list[Row]  # Effective robustness, a row per natural shift and classifier.
  overlap: overlap.Overlap | None  # With training data, where it was looked for.
  missing: dict[str, list[str]]  # What could not be run, by the reason.
  spent: dict[str, str]  # How the sessions that tell spent their time, by their names.
  warnings: list[Row]  # What makes a figure doubtful, with what to do.
  forwards: int
  backwards: int


def load(workdir: epath.PathLike, known: overlap.Known | None = None) -> Run:
  """Reads a run, finished or not; `known` is what its examples were found to overlap with.

  Raises:
    InputError: the folder holds no run or no records, or they are of other examples.
  """
  run, unreadable = records.load_run(workdir), records.unreadable(workdir)
  rows = records.read_finished(workdir)
  by_cell = records.by_cell(rows)
  summarized = metrics.summarize(rows)
  summary = {row["cell"]: row for row in summarized.to_pylist()}
  classifiers = _classifiers(run)
  told = on_disk.gathered(run)
  shifts = metrics.summarize_shifts(summarized).to_pylist()
  names = [name for name in run["data"] if name in told["data"]]
  return Run(
    workdir=str(workdir),
    run=run,
    config=json.dumps(run["identity"]["config"], indent=2),
    summary=summarized,
    classifiers=classifiers,
    data=[_data_set(name, told, rows, by_cell, summary, classifiers) for name in told["data"]],
    natural=natural.natural(list(summary.values()), shifts, classifiers, names, run),
    shifts=[row | {"differs": natural.unlike(row, summary.values(), run)} for row in shifts],
    overlap=None if known is None else overlap.section(known, rows, classifiers),
    missing=_missing(run, by_cell, unreadable),
    spent=spent.spent(workdir),
    warnings=doubts(run, rows, unreadable),
    forwards=sum(row["forwards"] for row in summary.values()),
    backwards=sum(row["backwards"] for row in summary.values()),
  )


def _missing(run: Row, by_cell: sections.ByCell, unreadable: pa.Table) -> dict[str, list[str]]:
  """What is absent for good, and what has not been computed yet."""
  lost = collections.Counter(unreadable["data"].to_pylist())
  found: dict[str, list[str]] = {}
  for absent in run["absent"]:
    found.setdefault(absent["reason"], []).append(absent["what"])
  told = {absent["what"] for absent in run["absent"]}
  unfinished = [
    cell["id"]
    for cell in run["cells"]
    if len(by_cell.get(cell["id"], ())) < cell["examples"] - lost[cell["data"]]
    and cell["id"] not in told
  ]
  return found | ({_UNFINISHED: unfinished} if unfinished else {})


def _classifiers(run: dict[str, Any]) -> list[Classifier]:
  """In the order of the plan; one colour a model, one dash a prompt set."""
  keys = list(dict.fromkeys((cell["model"], cell["prompts"]) for cell in run["cells"]))
  models = list(dict.fromkeys(model for model, _ in keys))
  prompts = list(dict.fromkeys(prompts for _, prompts in keys if prompts))
  return [
    Classifier(
      model,
      prompt,
      supervised=prompt is None,
      color=plots.COLORS[models.index(model) % len(plots.COLORS)],
      dash=plots.DASHES[prompts.index(prompt) % len(plots.DASHES) if prompt else 0],
    )
    for model, prompt in keys
  ]


def _data_set(
  name: str,
  run: dict[str, Any],
  rows: pa.Table,
  by_cell: sections.ByCell,
  summary: dict[str, Row],
  classifiers: list[Classifier],
) -> DataSet:
  everything = [cell for cell in run["cells"] if cell["data"] == name]
  if name == on_disk.NAME:
    rows = metrics.corrupted_on_disk(rows)
    by_cell = records.by_cell(rows)
  transferred = [cell for cell in everything if cell.get("surrogate") and not cell["tolerance"]]
  moving = [cell for cell in everything if cell.get("sequence")]
  searched = [cell for cell in everything if cell["tolerance"] is not None]
  apart = {cell["id"] for cell in (*transferred, *moving, *searched)}
  cells = [cell for cell in everything if cell["id"] not in apart]
  tables, texts = _tables(cells, by_cell, summary, classifiers)
  found = [
    searches.search(list(group), by_cell, classifiers, run["identity"])
    for _, group in itertools.groupby(searched, key=lambda cell: cell["perturbation"])
  ]
  class_names = run["data"][name]["class_names"]
  shown = albums.choose(tables, texts, transferred, searched, moving, classifiers)
  return DataSet(
    name=name,
    examples=everything[0]["examples"] if everything else 0,
    where=sections.where(everything),
    class_names=class_names,
    tables=tables,
    corrupted=sections.corrupted(name, cells, by_cell, classifiers, run),
    sequences=stability.sequences(name, moving, by_cell, classifiers, run),
    searches=[
      each
      for each in (*searches.together(searched, by_cell, classifiers, run["identity"]), *found)
      if any(row for _, row, _ in each.lines)
    ],
    budgets=[
      plot
      for one in tables
      for draw in (sections.queries, sections.steps)
      if (plot := draw(one, by_cell))
    ],
    transfers=sections.transfers(transferred, summary, classifiers),
    published=[
      table
      for each in run.get("published", ())
      if (table := published.beside(each, name, tables, run))
    ],
    texts=texts,
    calibration=trust.calibration(cells, by_cell, summary, classifiers),
    weakest=trust.weakest(cells, by_cell, classifiers),
    pairs=pairs.pairs(tables, by_cell, classifiers),
    albums=albums.albums(shown, everything, by_cell, class_names, run["identity"]["config"]),
  )


def _tables(
  cells: list[Row],
  by_cell: sections.ByCell,
  summary: dict[str, Row],
  classifiers: list[Classifier],
) -> tuple[list[sections.Table], list[sections.Text]]:
  """Of a data set's cells without sequences, bisections and transfer."""
  tables: list[sections.Table] = []
  texts: list[sections.Text] = []
  for perturbation, group in itertools.groupby(cells, key=lambda cell: cell["perturbation"]):
    same = list(group)
    if same[0]["setting"] or perturbation in ("clean", "stylized"):
      clean = tables[0] if tables and tables[0].perturbation == "clean" else None
      tables.append(sections.table(perturbation, same, summary, classifiers, clean))
    else:
      texts.append(sections.text(same, by_cell, classifiers))
  return tables, texts
