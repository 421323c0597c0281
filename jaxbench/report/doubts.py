"""The first section of a report: what makes its figures doubtful."""

import itertools
from collections.abc import Iterator, Mapping

import pyarrow as pa
from etils import epath

from jaxbench import metrics, records
from jaxbench.report import retrieved
from jaxbench.report.classifiers import Row

# That signs are looked for in.
_COLUMNS = (
  *("cell", "perturbation", "severity", "epsilon"),
  *("prediction", "success", "found_by", "steps", "refuted"),
  *("model", "data", "prompts", "direction", "label", "rank", "tied"),
)


def doubts(run: Row, rows: pa.Table, unreadable: pa.Table) -> list[Row]:
  """Images that cannot be read, what attacks saw of their models, and signs in the rows.

  Args:
    run: run.json.
    rows: of `records.read_finished`.
    unreadable: of `records.unreadable`.

  Returns:
    dictionaries of `what` and `detail`.
  """
  return [*_unreadable(unreadable.to_pylist()), *run["warnings"], *_signs(run, rows)]


def doubtful(workdir: epath.PathLike) -> list[str]:
  """What makes the figures of a run's folder doubtful, a line each, as its page has them.

  Raises:
    InputError: the folder holds no run or no records.
  """
  rows = records.read_finished(workdir, _COLUMNS)
  items = doubts(records.load_run(workdir), rows, records.unreadable(workdir))
  return [f"{item['what']}: {item['detail']}" for item in items]


def _unreadable(lost: list[Row]) -> list[Row]:
  """One for each data set with images that cannot be read."""
  return [
    {
      "what": name,
      "detail": f"{len(rows)} images cannot be read and are not counted: "
      + "; ".join(row["error"] for row in rows[:5])
      + ("; ..." if len(rows) > 5 else ""),
    }
    for name, group in itertools.groupby(lost, key=lambda row: row["data"])
    if (rows := list(group))
  ]


def _signs(run: Row, rows: pa.Table) -> Iterator[Row]:
  """Signs of broken logits, of claims that did not hold, of masked gradients, of too few steps."""
  names = {cell["id"]: cell["perturbation"] for cell in run["cells"]}
  words = {cell["id"]: _words(cell) for cell in run["cells"]}
  for name, cells in _by(names, metrics.not_finite(rows)):
    yield {
      "what": name,
      "detail": f"logits are not finite {_most(cells, 'broken', words)}; they count against the "
      "model, apart from what is misclassified, with the prediction -1: mend the model",
    }
  for name, cells in _by(names, metrics.refuted(rows)):
    yield {
      "what": name,
      "detail": "claims of the attack did not hold when judged "
      f"{_most(cells, 'refuted', words)}; it was searched again. Many are a "
      "sign of a model whose logits depend on batch or precision",
    }
  yield from retrieved.hanging_on_order(rows)
  for cell in metrics.gradient_masking(rows):
    yield {
      "what": f"{names[cell['cell']]} on {words[cell['cell']]}",
      "detail": f"Square fooled {cell['alone']} of {cell['examples']} examples that every gradient "
      "attack before it had left: gradients are likely masked; adapt the attack to the model",
    }
  for name, cells in _by(names, metrics.unconverged(rows)):
    yield {
      "what": name,
      "detail": "more than 1 % of the examples fell in the last tenth of the steps, where it has "
      f"not converged: give it more. So {_most(cells, 'late', words)}",
    }


def _words(cell: Row) -> str:
  """Whose cell it is, and at which setting, in words."""
  at = f" at {cell['setting']}" if cell["setting"] else ""
  return f"{', '.join(filter(None, (cell['model'], cell['prompts'])))} with {cell['data']}{at}"


def _most(cells: list[Row], count: str, words: Mapping[str, str]) -> str:
  """How many cells, and the one with the most examples of the kind that `count` counts."""
  worst = max(cells, key=lambda cell: cell[count] / cell["examples"])
  counted = f"{worst[count]} of {worst['examples']} examples of {words[worst['cell']]}"
  return f"on {counted}" if len(cells) == 1 else f"in {len(cells)} cells, most on {counted}"


def _by(names: Mapping[str, str], cells: list[Row]) -> Iterator[tuple[str, list[Row]]]:
  """Cells by the name of their perturbation."""
  cells = sorted(cells, key=lambda cell: names[cell["cell"]])
  for name, group in itertools.groupby(cells, key=lambda cell: names[cell["cell"]]):
    yield name, list(group)
