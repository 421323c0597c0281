"""One self-contained HTML page for one or several runs, and exports for other programs."""

import base64
import hashlib
import json
import pathlib
import re
from collections.abc import Sequence

import jinja2
import pyarrow as pa
from etils import epath

from jaxbench import metrics
from jaxbench.report import comparison, content, summaries, training_data, units
from jaxbench.report.doubts import doubtful
from jaxbench.report.export import export
from jaxbench.report.leaderboard import robustbench
from jaxbench.report.natural import unlike_models
from jaxbench.report.summaries import export_rows, markdown
from jaxbench.storage import atomic, places

_HERE = pathlib.Path(__file__).parent


def write(
  workdirs: Sequence[epath.PathLike],
  out: epath.PathLike,
  *,
  overlap: epath.PathLike | None = None,
  overlap_threshold: float | None = None,
  imagenet_x: epath.PathLike | None = None,
) -> list[pa.Table]:
  """Writes a page that opens from disk without a network, in light and dark, on any screen.

  All of it can be read without JavaScript, which sorts and filters its tables. Of several runs,
  each is also compared with the first, example by example. Beside it, a JSON file of the same name
  holds the table of its first screen; the README of this package names its keys.

  Args:
    workdirs: folders of runs, finished or not.
    out: the HTML file; replaced if it exists.
    overlap: folder of a search for the examples in training data, of duplicates, or of both.
    overlap_threshold: similarity from which an example overlaps; by default as calibrated.
    imagenet_x: file of factors of ImageNet's validation images, see `metrics.read_factors`.

  Returns:
    of each run, `metrics.summarize`.

  Raises:
    InputError: a folder holds no run or no records, the overlap is of other examples, or `out`
      cannot be written.

  Example:
    >>> (summary,) = report.write(["runs/quickstart"], "report.html")
  """
  places.for_file("out", out)
  findings = None if overlap is None else training_data.load(overlap, overlap_threshold)
  environment = jinja2.Environment(
    loader=jinja2.FileSystemLoader(_HERE),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
  )
  environment.filters |= {
    "percent": units.percent,
    "points": _points,
    "p_value": _p_value,
    "epsilon": units.epsilon,
    "figure": units.figure,
    "interval": units.interval,
    "clause": _clause,
    "decibels": units.decibels,
    "unit": units.unit_of,
  }
  known = None if imagenet_x is None else metrics.read_factors(imagenet_x)
  runs = [content.load(workdir, findings, known) for workdir in workdirs]
  script = (_HERE / "tables.js").read_text()
  page = environment.get_template("page.html").render(
    runs=runs,
    changes=[comparison.compare(workdirs[0], other) for other in workdirs[1:]],
    style=(_HERE / "style.css").read_text(),
    script=script,
    script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
  )
  atomic.write(epath.Path(out), page.encode())
  described = json.dumps(summaries.described(runs), indent=2, ensure_ascii=False)
  atomic.write(epath.Path(out).with_suffix(".json"), described.encode())
  return [run.summary for run in runs]


def _points(difference: float) -> str:
  return f"{100 * difference:+.2f}"


def _clause(text: str) -> str:
  """The beginning of a sentence, up to where it goes into detail."""
  return re.split(r"[:;(]| -- ", text, maxsplit=1)[0].strip()


def _p_value(value: float) -> str:
  return f"{value:.3f}" if value >= 0.001 else f"{value:.1e}"


__all__ = [
  "doubtful",
  "export",
  "export_rows",
  "markdown",
  "robustbench",
  "unlike_models",
  "write",
]
