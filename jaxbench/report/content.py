"""What a report says of one run: plain values, ready for the page's template."""

import collections
import itertools
import json
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from etils import epath

from jaxbench import journal, metrics, perturbations, records
from jaxbench.report import gallery, on_disk, plots, sections, stability
from jaxbench.report.sections import Classifier, Row


class Pair(NamedTuple):
  """Two classifiers under one perturbation."""

  first: Classifier
  second: Classifier
  perturbation: str
  cells: tuple[str, str]
  comparison: metrics.Comparison


class Album(NamedTuple):
  """Pictures of one cell."""

  classifier: Classifier
  perturbation: str
  pictures: list[gallery.Picture]


class DataSet(NamedTuple):
  """Everything about one data set."""

  name: str
  examples: int
  class_names: list[str]
  tables: list[sections.Table]
  corrupted: sections.Corrupted | None
  sequences: stability.Sequences | None
  searches: list[sections.Search]
  budgets: list[str]  # SVGs of attacks without gradients: accuracy over queries.
  transfers: list[sections.Transfer]
  published: list[sections.Published]
  texts: list[sections.Text]
  pairs: list[Pair]
  albums: list[Album]


class Run(NamedTuple):
  """Everything about one run."""

  workdir: str
  run: dict[str, Any]  # run.json.
  config: str
  classifiers: list[Classifier]
  data: list[DataSet]
  shifts: list[Row]  # Effective robustness, a row per natural shift and classifier.
  missing: list[Row]  # What could not be run, with the reason.
  spent: dict[str, str]  # How the sessions that tell spent their time, by their names.
  warnings: list[Row]  # What makes a figure doubtful, with what to do.
  forwards: int
  backwards: int


def load(workdir: epath.PathLike) -> Run:
  """Reads a run, finished or not.

  Raises:
    InputError: the folder holds no run or no records.
  """
  run, rows = records.load_run(workdir), records.read_finished(workdir)
  lost = records.unreadable(workdir).to_pylist()
  missing = collections.Counter(row["data"] for row in lost)
  summarized = metrics.summarize(rows)
  summary = {row["cell"]: row for row in summarized.to_pylist()}
  written = {row["values"]: row["counts"] for row in pc.value_counts(rows["cell"]).to_pylist()}
  classifiers = _classifiers(run)
  told = on_disk.gathered(run)
  sets = [
    _data_set(name, told, on_disk.rows_of(name, rows), summary, classifiers)
    for name in told["data"]
  ]
  unfinished = [
    {"what": cell["id"], "reason": "not computed yet; the same command continues the run"}
    for cell in run["cells"]
    if written.get(cell["id"], 0) < cell["examples"] - missing[cell["data"]]
  ]
  reasons = {absent["what"] for absent in run["absent"]}
  return Run(
    workdir=str(workdir),
    run=run,
    config=json.dumps(run["identity"]["config"], indent=2),
    classifiers=classifiers,
    data=sets,
    shifts=metrics.summarize_shifts(summarized).to_pylist(),
    missing=run["absent"] + [cell for cell in unfinished if cell["what"] not in reasons],
    spent=_spent(workdir),
    warnings=[*_unreadable(lost), *_warnings(run, rows)],
    forwards=sum(row["forwards"] for row in summary.values()),
    backwards=sum(row["backwards"] for row in summary.values()),
  )


def _spent(workdir: epath.PathLike) -> dict[str, str]:
  """Shares of the time of each session, as people read them."""
  spent = {}
  lines = sorted(journal.read(workdir), key=lambda line: line["session"])
  for session, group in itertools.groupby(lines, key=lambda line: line["session"]):
    own = list(group)
    total = sum(line["seconds"] for line in own)
    shares = [
      f"{part} {sum(line[part] for line in own) / total:.0%}"
      for part in (*journal.PARTS, "computing")
    ]
    memory = max((line["memory"] or 0 for line in own), default=0)
    told = f", at most {memory / 2**30:.1f} GiB on a device" if memory else ""
    spent[session] = f"{', '.join(shares)}; slots {own[-1]['occupancy']:.0%} occupied{told}"
  return spent


def _unreadable(lost: list[Row]) -> list[Row]:
  """One warning for each data set with images that cannot be read."""
  return [
    {
      "what": name,
      "detail": f"{len(found)} images cannot be read and are not counted: "
      + "; ".join(row["error"] for row in found[:5])
      + ("; ..." if len(found) > 5 else ""),
    }
    for name, rows in itertools.groupby(lost, key=lambda row: row["data"])
    if (found := list(rows))
  ]


def _warnings(run: dict[str, Any], rows: pa.Table) -> list[Row]:
  """Those of the attacks' own checks, and signs of masked gradients in the rows."""
  masked = [
    {
      "what": cell["cell"],
      "detail": f"Square fooled {cell['alone']} of {cell['examples']} examples that every gradient "
      "attack before it had left: gradients are likely masked; adapt the attack to the model",
    }
    for cell in metrics.gradient_masking(rows)
  ]
  return [*run.get("warnings", []), *masked]


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
  summary: dict[str, Row],
  classifiers: list[Classifier],
) -> DataSet:
  everything = [cell for cell in run["cells"] if cell["data"] == name]
  matrix = {cell["id"] for cell in everything if cell.get("surrogate") and not cell["tolerance"]}
  transferred = [cell for cell in everything if cell["id"] in matrix]
  moving = [cell for cell in everything if cell.get("sequence")]
  apart = matrix | {cell["id"] for cell in moving}
  cells = [cell for cell in everything if cell["id"] not in apart]
  tables: list[sections.Table] = []
  searches: list[sections.Search] = []
  smallest = {row["cell"]: row for row in metrics.summarize_smallest(rows).to_pylist()}
  texts: list[sections.Text] = []
  for perturbation, group in itertools.groupby(cells, key=lambda cell: cell["perturbation"]):
    same = list(group)
    if same[0]["tolerance"] is not None:
      searches.append(sections.search(same, rows, smallest, classifiers, run["identity"]))
    elif same[0]["setting"] or perturbation in (perturbations.CLEAN, perturbations.STYLIZED):
      clean = tables[0] if tables and tables[0].perturbation == perturbations.CLEAN else None
      tables.append(sections.table(perturbation, same, summary, classifiers, clean))
    else:
      texts.append(sections.text(same, rows, classifiers))
  class_names = run["data"][name]["class_names"]
  return DataSet(
    name=name,
    examples=cells[0]["examples"] if cells else 0,
    class_names=class_names,
    tables=tables,
    corrupted=sections.corrupted(name, cells, rows, classifiers, run["identity"]["config"]),
    sequences=stability.sequences(name, rows, classifiers, run),
    searches=searches,
    budgets=[plot for one in tables if (plot := sections.queries(one, rows))],
    transfers=sections.transfers(transferred, summary, classifiers),
    published=[
      found
      for table in run.get("published", ())
      if (found := sections.published(table, name, tables))
    ],
    texts=texts,
    pairs=_pairs(tables, rows, classifiers),
    albums=_albums(tables, texts, moving, rows, class_names),
  )


def _pairs(
  tables: list[sections.Table], rows: pa.Table, classifiers: list[Classifier]
) -> list[Pair]:
  """Every zero-shot classifier against every supervised one, at the middle settings."""
  pairs = []
  for table in tables:
    cells = {classifier: found[table.middle] for classifier, found in table.lines}
    setting = table.settings[table.middle]
    for first, second in itertools.product(classifiers, classifiers):
      one, two = cells[first], cells[second]
      if first.supervised or not second.supervised or not (one and two):
        continue
      ids = (one["cell"], two["cell"])
      comparison = metrics.compare(rows, *ids)
      pairs.append(Pair(first, second, f"{table.perturbation} {setting}".strip(), ids, comparison))
  return pairs


def _albums(
  tables: list[sections.Table],
  texts: list[sections.Text],
  moving: list[Row],
  rows: pa.Table,
  class_names: list[str],
) -> list[Album]:
  """For each model, with its first prompt set: each perturbation at its middle setting."""
  shown: list[tuple[str, list[tuple[Classifier, str]]]] = []
  plain = tables[0].lines if tables and tables[0].perturbation == perturbations.CLEAN else []
  for table in tables[1:]:
    setting = table.settings[table.middle]
    name = f"{table.perturbation}, {table.axis} {setting}" if setting else table.perturbation
    cells = [(one, found[table.middle]) for one, found in table.lines]
    shown.append((name, [(one, cell["cell"]) for one, cell in cells if cell]))
  shown += [(text.overlay, [(one, cell) for one, cell, _ in text.lines]) for text in texts]
  clean = {one: cell["cell"] for one, (cell, *_) in plain if cell}
  for perturbation, group in itertools.groupby(moving, key=lambda cell: cell["perturbation"]):
    own = {(cell["model"], cell["prompts"]): cell["id"] for cell in group}
    lines = [(one, own[key]) for one in clean if (key := (one.model, one.prompts)) in own]
    shown.append((f"{perturbation}, last frame", lines))
  albums = []
  for name, lines in shown:
    first = {one.model: (one, cell) for one, cell in reversed(lines) if one in clean}
    for one, cell in reversed(first.values()):
      found = gallery.pictures(rows, cell, clean[one], class_names)
      albums.append(Album(one, name, found))
  return [album for album in albums if album.pictures]
