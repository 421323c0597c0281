"""Results for other programs: a CSV of all cells, a LaTeX table, a fragment of a model card."""

import functools
import itertools
import json
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pyarrow as pa
import pyarrow.csv as pa_csv
from etils import epath

from jaxbench import metrics, records
from jaxbench.records import kinds, wording
from jaxbench.report.classifiers import Row

_LATEX = {
  "\\": r"\textbackslash{}",
  "~": r"\textasciitilde{}",
  "^": r"\textasciicircum{}",
} | {character: f"\\{character}" for character in "&%$#_{}"}


_AT_EPSILONS = (kinds.ATTACK, kinds.TARGETED, kinds.TRANSFER, kinds.JOINT, kinds.UNIVERSAL)


class _Column(NamedTuple):
  """A figure of several cells."""

  title: str
  of: Callable[[Row], bool]  # Which cells.


def export(workdir: epath.PathLike, folder: epath.PathLike) -> list[epath.Path]:
  """Writes what other programs read of a run into a folder.

  `cells.csv` has a line per cell, with all of `metrics.summarize`, accuracies in [0, 1], and
  `native`, the images' own size in pixels where they are perturbed at it.
  `table.tex` has a booktabs table per data set, accuracies in percent: clean images, the mean over
  corruptions and severities, attacks at each epsilon. `sets.tex`, of a run whose sets papers
  average, has the row of a paper's table: for each classifier, clean and at each epsilon, its
  accuracy on every set and their average. `model-card-MODEL.md` begins with the `model-index` that
  Hugging Face reads.

  Returns:
    the files.

  Raises:
    InputError: the folder holds no run or no records.
  """
  run = records.load_run(workdir)
  summary = metrics.summarize(records.read_finished(workdir))
  native = {cell["id"]: cell["native"] for cell in run["cells"]}
  sizes = pa.array([native[cell] for cell in summary["cell"].to_pylist()], pa.int32())
  summary = summary.append_column("native", sizes)
  rows = summary.to_pylist()
  out = epath.Path(folder)
  out.mkdir(parents=True, exist_ok=True)
  written = [out / "cells.csv", out / "table.tex"]
  buffer = pa.BufferOutputStream()
  pa_csv.write_csv(summary, buffer)
  written[0].write_bytes(buffer.getvalue().to_pybytes())
  written[1].write_text("\n".join(_latex(rows)))
  metric = {name: known.get("metric", "") for name, known in run["data"].items()}
  if averaged := metrics.averages(summary, metric):
    written.append(out / "sets.tex")
    written[-1].write_text("\n".join(_over_sets(averaged)))
  for model in dict.fromkeys(row["model"] for row in rows):
    name = re.sub(r"[^\w.-]+", "_", model).strip("_")
    file = out / f"model-card-{name}.md"
    file.write_text("\n".join(_card(run, model, [row for row in rows if row["model"] == model])))
    written.append(file)
  return written


def _columns(rows: list[Row]) -> Iterator[_Column]:
  """Clean images, all corruptions together, every attack that has an epsilon of its own."""
  yield _Column("clean", lambda row: kinds.of(row) == kinds.CLEAN)
  if any(kinds.of(row) == kinds.CORRUPTION for row in rows):
    yield _Column("corruptions", lambda row: kinds.of(row) == kinds.CORRUPTION)
  attacks = {
    (row["perturbation"], row["epsilon"])
    for row in rows
    if kinds.of(row) in _AT_EPSILONS and row["epsilon"] is not None
  }
  for name, epsilon in sorted(attacks):
    yield _Column(
      f"{name} {wording.format_epsilon(epsilon)}",
      functools.partial(_is_attack, name, epsilon),
    )


def _is_attack(name: str, epsilon: float, row: Row) -> bool:
  return (row["perturbation"], row["epsilon"]) == (name, epsilon)


def _latex(rows: list[Row]) -> Iterator[str]:
  yield r"% Needs \usepackage{booktabs}. Top-1 accuracy in percent."
  for data in dict.fromkeys(row["data"] for row in rows):
    lines = [row for row in rows if row["data"] == data]
    columns = list(_columns(lines))
    yield rf"\begin{{tabular}}{{l{'r' * len(columns)}}} % {_comment(data)}"
    yield r"\toprule"
    yield " & ".join(["model, prompts", *(_escaped(column.title) for column in columns)]) + r" \\"
    yield r"\midrule"
    keys = ("model", "prompts", "native")
    for model, prompts, size in dict.fromkeys(tuple(row[key] for key in keys) for row in lines):
      line = [row for row in lines if tuple(row[key] for key in keys) == (model, prompts, size)]
      values = [_mean([row for row in line if column.of(row)]) for column in columns]
      at = f"at {size} x {size} pixels" if size else None
      name = ", ".join(filter(None, (model, prompts, at)))
      yield " & ".join([_escaped(name), *values]) + r" \\"
    yield from (r"\bottomrule", r"\end{tabular}", "")


def _over_sets(averaged: list[metrics.Average]) -> Iterator[str]:
  """Sets are columns, as in papers; one table for each suite, its settings between rules."""
  yield r"% Needs \usepackage{booktabs}. In percent."
  for suite, group in itertools.groupby(averaged, lambda average: average.suite):
    some = list(group)
    sets = list(some[0].by_set)
    figure = "as papers report each" if suite == metrics.ALL else "top-1"
    yield rf"\begin{{tabular}}{{ll{'r' * (len(sets) + 1)}}} % {suite}: {figure}"
    yield r"\toprule"
    yield " & ".join(["", "model, prompts", *map(_escaped, sets), "average"]) + r" \\"
    for setting in dict.fromkeys((each.epsilon, each.perturbation) for each in some):
      yield r"\midrule"
      for each in some:
        if (each.epsilon, each.perturbation) == setting:
          values = [f"{100 * share:.1f}" for share in (*each.by_set.values(), each.value)]
          name = ", ".join(filter(None, (each.model, each.prompts)))
          yield " & ".join([_escaped(_setting(*setting)), _escaped(name), *values]) + r" \\"
    yield from (r"\bottomrule", r"\end{tabular}", "")


def _setting(epsilon: float | None, perturbation: str | None) -> str:
  """An attack of its own for each set has no name."""
  if epsilon is None:
    return "clean"
  return " ".join(filter(None, (perturbation, wording.format_epsilon(epsilon))))


def _mean(rows: list[Row]) -> str:
  if not rows:
    return "--"
  return f"{100 * sum(row['accuracy'] for row in rows) / len(rows):.1f}"


def _escaped(text: str) -> str:
  return "".join(_LATEX.get(character, character) for character in text)


def _comment(text: str) -> str:
  return " ".join(text.split())


def _card(run: Row, model: str, rows: list[Row]) -> Iterator[str]:
  """Front matter that Hugging Face reads, then words for people."""
  yield from ("---", "model-index:", f"- name: {_quoted(model)}", "  results:")
  for row in rows:
    task = "zero-shot-image-classification" if row["prompts"] else "image-classification"
    setting = " ".join(
      filter(None, [row["perturbation"], wording.setting(row["severity"], row["epsilon"])])
    )
    name = _quoted(f"{row['data']}, {setting}")
    yield from (
      f"  - task: {{type: {task}}}",
      f"    dataset: {{type: {_quoted(row['data'])}, name: {name}}}",
      "    metrics:",
      f"    - {{type: accuracy, value: {row['accuracy']:.4f}, name: {_quoted(_words(row))}}}",
    )
  sample = run["identity"]["config"]["limit"]
  yield from ("---", "", f"Robustness, measured with jaxbench {run['identity']['jaxbench']}", "")
  yield f"- Weights: sha256 `{run['identity']['models'][model]['sha256']}`."
  if sample:
    yield f"- Only a random sample of {sample} examples of each data set was evaluated."
  yield "- An attack's accuracy is an upper bound: a stronger attack may find more."
  yield ""


def _words(row: Row) -> str:
  prompts = f"prompts {row['prompts']}; " if row["prompts"] else ""
  low, high = row["accuracy_low"], row["accuracy_high"]
  where = wording.where({row["model"]: row["native"]})
  where = f"{where}; " if where else ""
  return f"top-1; {prompts}{where}95 % interval {low:.4f} to {high:.4f}; {row['examples']} examples"


def _quoted(text: str) -> str:
  """A scalar of YAML, of which JSON's strings are a part."""
  return json.dumps(text)
