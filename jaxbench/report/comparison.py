"""The section of a report that compares runs: the same cells on the same examples."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from etils import epath

from jaxbench import metrics, records
from jaxbench.records import kinds
from jaxbench.report.classifiers import Row

_COLUMNS = (
  *("cell", "example", "label", "labels", "clean_prediction", "prediction"),
  *("target", "success", "distance", "offset", "direction"),
)
_LEVEL = 0.05


class Difference(NamedTuple):
  """One cell of two runs."""

  classifier: str
  data: str
  perturbation: str
  before: float  # Accuracy in the first run, on the examples of both.
  after: float
  comparison: metrics.Comparison  # Of the second run with the first: positive is better.
  adjusted: float  # p-value by Holm, over all cells that are compared.

  @property
  def verdict(self) -> str:
    """What follows, in a word."""
    if self.adjusted >= _LEVEL:
      return "no difference found"
    return "regression" if self.comparison.difference < 0 else "improvement"


class Changes(NamedTuple):
  """What differs between one run and another."""

  first: str
  second: str
  differences: list[Difference]  # Regressions first, the largest first.
  only_first: int  # Cells that only this run has.
  only_second: int


Key = tuple[str, str | None, str, str, str, int | None]


def compare(first: epath.PathLike, second: epath.PathLike) -> Changes:
  """Two runs, cell by cell: those of the same classifier, data set, perturbation and setting.

  What is perturbed at the images' own size is not compared with what is at a model's.

  If each run has a single model, the two are compared whatever they are called.

  Raises:
    InputError: a folder holds no run or no records.
  """
  runs = [records.load_run(workdir) for workdir in (first, second)]
  models = [{cell["model"] for cell in run["cells"]} for run in runs]
  renamed = all(len(names) == 1 for names in models)
  cells = [dict(_cells(run, renamed)) for run in runs]
  rows = [records.by_cell(records.read_finished(workdir, _COLUMNS)) for workdir in (first, second)]
  computed = [
    {key for key, cell in named.items() if cell["id"] in tables}
    for named, tables in zip(cells, rows, strict=True)
  ]
  both = [key for key in cells[1] if key in computed[0] and key in computed[1]]
  epsilons = [set(run["identity"]["config"]["attacks"]["epsilons"]) for run in runs]
  differences = []
  for key in both:
    before, after = (named[key] for named in cells)
    pair = rows[0][before["id"]], rows[1][after["id"]]
    differences += list(_compared(before, after, pair, sorted(epsilons[0] & epsilons[1])))
  adjusted = metrics.holm([each.comparison.p_value for each in differences])
  differences = [
    each._replace(adjusted=float(p)) for each, p in zip(differences, adjusted, strict=True)
  ]
  order = ("regression", "improvement", "no difference found")
  differences.sort(key=lambda each: (order.index(each.verdict), each.comparison.difference))
  lone = [len(keys - set(both)) for keys in computed]
  return Changes(str(first), str(second), differences, *lone)


def _cells(run: Mapping[str, Any], renamed: bool) -> Iterator[tuple[Key, Row]]:
  for cell in run["cells"]:
    if cell["kind"] != kinds.SEQUENCE:
      model = "" if renamed else cell["model"]
      named = (cell["prompts"], cell["data"], cell["perturbation"], cell["setting"])
      yield (model, *named, cell["native"]), cell


def _compared(
  before: Row, after: Row, rows: tuple[pa.Table, pa.Table], epsilons: Sequence[float]
) -> Iterator[Difference]:
  """One difference; of a bisection, one for each epsilon that both runs quote."""
  first, second = metrics.shared(*rows)
  models = dict.fromkeys((before["model"], after["model"]))
  classifier = ", ".join(filter(None, (" → ".join(models), after["prompts"])))
  if after["kind"] not in kinds.BISECTED:
    right = [metrics.is_correct(table).to_numpy() for table in (first, second)]
    label = f"{after['perturbation']} {after['setting']}".strip()
    yield _difference(classifier, after["data"], label, first, *right)
    return
  distances = [table["distance"].to_numpy() for table in (first, second)]
  for epsilon in epsilons:
    right = [distance > np.float32(epsilon) for distance in distances]
    at = f"{255 * epsilon:g}/255" if after["norm"] == "linf" else f"{epsilon:g}"
    yield _difference(classifier, after["data"], f"{after['perturbation']} at {at}", first, *right)


def _difference(
  classifier: str,
  data: str,
  perturbation: str,
  rows: pa.Table,
  before: np.ndarray,
  after: np.ndarray,
) -> Difference:
  comparison = metrics.paired(after, before, rows)
  means = float(before.mean()), float(after.mean())
  return Difference(classifier, data, perturbation, *means, comparison, 1.0)
