"""The first section of a report: what makes its figures doubtful."""

import itertools
from collections.abc import Iterator

import pyarrow as pa

from jaxbench import metrics
from jaxbench.report.sections import Row


def doubts(run: Row, rows: pa.Table, unreadable: pa.Table) -> list[Row]:
  """Images that cannot be read, what attacks saw of their models, and signs in the rows.

  Args:
    run: run.json.
    rows: of `records.read_finished`.
    unreadable: of `records.unreadable`.

  Returns:
    dictionaries of `what` and `detail`.
  """
  return [*_unreadable(unreadable.to_pylist()), *run.get("warnings", []), *_signs(run, rows)]


def _unreadable(lost: list[Row]) -> list[Row]:
  """One for each data set with images that cannot be read."""
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


def _signs(run: Row, rows: pa.Table) -> list[Row]:
  """Of masked gradients, and of attacks that were not given enough steps."""
  masked = [
    {
      "what": cell["cell"],
      "detail": f"Square fooled {cell['alone']} of {cell['examples']} examples that every gradient "
      "attack before it had left: gradients are likely masked; adapt the attack to the model",
    }
    for cell in metrics.gradient_masking(rows)
  ]
  return masked + [_short(list(cells)) for cells in _by_attack(metrics.unconverged(rows), run)]


def _short(cells: list[Row]) -> Row:
  """Of one attack's cells."""
  worst = max(cells, key=lambda cell: cell["late"] / cell["examples"])
  return {
    "what": worst["perturbation"],
    "detail": f"in {len(cells)} of its cells more than 1 % of the examples fell in the last tenth "
    "of the steps: there it has not converged; give it more. Most of all in "
    f"{worst['cell']}: {worst['late']} of {worst['examples']}, after {worst['steps']} steps",
  }


def _by_attack(cells: list[Row], run: Row) -> Iterator[Iterator[Row]]:
  names = {cell["id"]: cell["perturbation"] for cell in run["cells"]}
  named = [cell | {"perturbation": names[cell["cell"]]} for cell in cells]
  named.sort(key=lambda cell: cell["perturbation"])
  return (group for _, group in itertools.groupby(named, key=lambda cell: cell["perturbation"]))
