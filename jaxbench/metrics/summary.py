"""From rows per example to one row per cell, and to the table a person reads first."""

import pyarrow as pa
import pyarrow.compute as pc

from jaxbench.metrics.accuracy import Proportion, proportion
from jaxbench.metrics.smallest import summarize_smallest

_CELL = ["cell", "model", "data", "prompts", "perturbation", "severity", "epsilon"]
_MEANS = ("flips", "top5_distance")


def is_correct(rows: pa.Table) -> pa.ChunkedArray:
  """Whether the model is right: under attack, whether the attack had no success."""
  right = pc.equal(rows["prediction"], rows["label"])
  return pc.if_else(pc.is_valid(rows["success"]), pc.invert(rows["success"]), right)


def summarize(rows: pa.Table) -> pa.Table:
  """One row per cell.

  Args:
    rows: of `records.read`.

  Returns:
    the cell's columns and `examples`; `correct`, `accuracy` with `accuracy_low` and
    `accuracy_high`, its 95 % Clopper-Pearson interval; `clean_correct`, how many are right
    without the perturbation; for attacks `attack_success`, the share of those that the attack
    turned, with `attack_success_low` and `attack_success_high`; for bisections `median_epsilon`
    with `median_epsilon_low` and `median_epsilon_high`, of which `summarize_smallest` tells more;
    for typographic attacks `followed`, the share of predictions that read out the word, with
    `followed_low` and `followed_high`, of which `typographic` tells more; for sequences of frames
    `flips` and `top5_distance`, means over the examples, of which `flip_rates` tells more, while
    what is right is the last frame;
    `forwards` and `backwards`, the passes used.

  Example:
    >>> metrics.summarize(records.read("runs/quickstart")).to_pandas()
  """
  clean = pc.equal(rows["clean_prediction"], rows["label"])
  counted = rows.select([*_CELL, *_MEANS, "forwards", "backwards"])
  for name, column in {
    "correct": is_correct(rows),
    "clean_correct": clean,
    "fooled": pc.and_(clean, rows["success"]),  # Null where nothing attacks.
    "followed": pc.equal(rows["prediction"], rows["target"]),  # Null where nothing is written.
    "attacked": pc.if_else(pc.is_valid(rows["success"]), clean, None),
  }.items():
    counted = counted.append_column(name, column.cast(pa.int64()))
  sums = ["correct", "clean_correct", "fooled", "followed", "attacked", "forwards", "backwards"]
  grouped = counted.group_by(_CELL, use_threads=False).aggregate(
    [("correct", "count"), *((name, "sum") for name in sums), *((name, "mean") for name in _MEANS)]
  )
  smallest = {row["cell"]: row for row in summarize_smallest(rows).to_pylist()}
  return pa.Table.from_pylist(
    [_with_intervals(row) | _median(smallest.get(row["cell"])) for row in grouped.to_pylist()]
  )


def _median(found: dict | None) -> dict[str, float | None]:
  ends = ("", "_low", "_high")
  return {f"median_epsilon{end}": found[f"median{end}"] if found else None for end in ends}


def _with_intervals(row: dict) -> dict:
  result = {name: row[name] for name in _CELL}
  result["examples"] = row["correct_count"]
  result["correct"] = row["correct_sum"]
  accuracy = proportion(row["correct_sum"], row["correct_count"])
  result |= _named("accuracy", accuracy)
  result["clean_correct"] = row["clean_correct_sum"]
  attacked = row["attacked_sum"]
  result |= _named("attack_success", proportion(row["fooled_sum"], attacked) if attacked else None)
  followed, examples = row["followed_sum"], row["correct_count"]
  result |= _named("followed", None if followed is None else proportion(followed, examples))
  result |= {name: row[f"{name}_mean"] for name in _MEANS}
  return result | {name: row[f"{name}_sum"] for name in ("forwards", "backwards")}


def _named(name: str, share: Proportion | None) -> dict[str, float | None]:
  names = (name, f"{name}_low", f"{name}_high")
  return dict(zip(names, share or (None, None, None), strict=True))
