"""The section of a report on all common corruptions together."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from jaxbench import metrics
from jaxbench.metrics import published
from jaxbench.report import on_disk, plots, protocols
from jaxbench.report.classifiers import ByCell, Classifier, Row, cells_of, curve, rows_of


class Corrupted(NamedTuple):
  """All common corruptions together."""

  columns: list[str]  # Names of figures; see `metrics.corruption_errors`.
  each: list[str]  # Corruptions whose error has been divided by a reference's.
  # With the published mCE.
  lines: list[tuple[Classifier, metrics.CorruptionErrors, protocols.Beside | None]]
  missing: tuple[str, ...]  # Of the fifteen official ones.
  reference: str | None  # What errors are divided by,
  unlike: str  # and what is not as it was there, in words.
  overall: dict[Classifier, metrics.Estimate]  # Mean accuracy over all corruptions and severities.
  by_name: dict[Classifier, dict[str, metrics.Estimate]]  # The same, of each corruption.
  names: list[str]  # Of all corruptions.
  plot: str  # SVG: the mean over corruptions at each severity.

  @property
  def sources(self) -> list[str]:
    """Where the published numbers are from."""
    return list(dict.fromkeys(reference.source for *_, reference in self.lines if reference))

  @property
  def notes(self) -> list[str]:
    """What differs from how the published numbers were measured."""
    return protocols.notes(reference for *_, reference in self.lines)


def corrupted(
  name: str,
  clean: list[Row],
  cells: list[Row],
  by_cell: ByCell,
  classifiers: list[Classifier],
  run: Row,
) -> Corrupted | None:
  """All corruptions of a data set; None if it was not corrupted.

  AlexNet's errors are known for ImageNet at 224 pixels, by ImageNet-C's definition. A model that
  the run names as reference takes their place.

  Args:
    name: of the data set.
    clean: its cells as it is.
    cells: its corrupted ones.
    by_cell: their rows.
    classifiers: of the run.
    run: run.json.
  """
  if not cells:
    return None
  sizes = {cell["preprocess"]["size"] for cell in cells}
  defined = run["identity"]["config"]["corruptions"]["variant"] == "imagenet" and sizes == {224}
  rows = {each: rows_of(cells_of(each, clean + cells), by_cell) for each in classifiers}
  correct = {
    each: metrics.correct_by_cell(table, each.model, each.prompts, name)
    for each, table in rows.items()
    if table is not None
  }
  if not correct:
    return None
  named, reference = run["error_reference"], None
  errors: Mapping[tuple[str, int], float] | None = None
  if hits := next((hits for each, hits in correct.items() if each.model == named), None):
    reference, errors = f"{named}'s errors in this run", _errors(hits)
  elif name == on_disk.NAME or (name == "imagenet" and defined):
    reference = "AlexNet's errors on all of ImageNet-C's published images"
    errors = metrics.alexnet()
  lines: list[tuple[Classifier, metrics.CorruptionErrors, protocols.Beside | None]] = []
  unlike: dict[str, None] = {}
  for classifier, hits in correct.items():
    figures, beside = metrics.corruption_errors(hits, reference=errors), None
    if errors is metrics.alexnet():
      (cell, *_) = cells_of(classifier, cells)
      measured = (run, cell, figures.examples, name == on_disk.NAME)
      unlike |= dict.fromkeys(protocols.of_corruptions(published.ALEXNET, *measured))
      beside = _published(classifier, *measured)
    lines.append((classifier, figures, beside))
  columns, divided = _columns([figures for _, figures, _ in lines])
  names = list(dict.fromkeys(cell["perturbation"] for cell in cells))
  means = {classifier: _means(hits) for classifier, hits in correct.items()}
  return Corrupted(
    columns,
    divided,
    lines,
    lines[0][1].missing,
    reference,
    "; ".join(unlike),
    overall={each: found[_ALL] for each, found in means.items() if _ALL in found},
    by_name={
      each: {name: found[_NAMED + name] for name in names if _NAMED + name in found}
      for each, found in means.items()
    },
    names=names,
    plot=_plot(means, names),
  )


_ALL, _NAMED = "all", "under "  # Keys of `_means` besides severities.


def _means(correct: Mapping[tuple[str, int], np.ndarray]) -> dict[str, metrics.Estimate]:
  """Mean accuracy over corruptions: in all, at each severity, under each; and without any."""
  keys = list(correct)
  levels = np.array([severity for _, severity in keys])
  which = {_ALL: levels > 0} | {str(level): levels == level for level in np.unique(levels)}
  named = np.array([name for name, _ in keys])
  which |= {_NAMED + name: (named == name) & (levels > 0) for name in np.unique(named)}
  chosen = {name: columns for name, columns in which.items() if columns.any()}
  values = np.stack(list(correct.values()), axis=1)
  return metrics.bootstrap(
    values,
    lambda means: {name: means[..., some].mean(axis=-1) for name, some in chosen.items()},
  )


def _plot(means: Mapping[Classifier, dict[str, metrics.Estimate]], names: list[str]) -> str:
  """The mean over corruptions, over the severities that all classifiers have."""
  levels = [level for level in next(iter(means.values())) if level.isdigit() and level != "0"]
  curves = []
  for each, found in means.items():
    if all(level in found for level in ("0", *levels)):
      curves.append(curve(each, [found[level] for level in ("0", *levels)]))
  title = f"mean of {len(names)} corruptions" if len(names) > 1 else names[0]
  return plots.accuracy_curves(title, "severity", ["clean", *levels], curves)


def _columns(lines: list[metrics.CorruptionErrors]) -> tuple[list[str], list[str]]:
  """Figures of several corruptions, and corruptions with one of their own, in their order."""
  figures = dict.fromkeys(figure for line in lines for figure in line.figures)
  ordered = ("clean", "mean", *metrics.GROUPS, "mce", "relative_mce")
  official = [name for names in metrics.GROUPS.values() for name in names if name in figures]
  others = sorted(figures.keys() - {*ordered, *official})
  return [figure for figure in ordered if figure in figures], official + others


def _published(
  classifier: Classifier, run: Row, cell: Row, examples: int, on_disk: bool
) -> protocols.Beside | None:
  """The mCE of the same weights; see `protocols.of_corruptions`."""
  reference = published.corruption_error(classifier.model)
  if reference is None:
    return None
  differs = protocols.of_corruptions(reference.protocol, run, cell, examples, on_disk)
  return protocols.beside(reference, differs)


def _errors(correct: Mapping[tuple[str, int], np.ndarray]) -> dict[tuple[str, int], float]:
  return {key: float(1 - hits.mean()) for key, hits in correct.items()}
