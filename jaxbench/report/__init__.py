"""One self-contained HTML page for one or several runs."""

import math
import pathlib
from collections.abc import Sequence

import jinja2
from etils import epath

from jaxbench import whole
from jaxbench.report import content
from jaxbench.report.leaderboard import robustbench


def write(workdirs: Sequence[epath.PathLike], out: epath.PathLike) -> None:
  """Writes a page that opens from disk without a network, in light and dark, on any screen.

  Args:
    workdirs: folders of runs, finished or not.
    out: the HTML file; replaced if it exists.

  Raises:
    InputError: a folder holds no run or no records.

  Example:
    >>> report.write(["runs/quickstart"], "report.html")
  """
  runs = [content.load(workdir) for workdir in workdirs]
  environment = jinja2.Environment(
    loader=jinja2.FileSystemLoader(pathlib.Path(__file__).parent),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
  )
  environment.filters |= {"percent": _percent, "p_value": _p_value, "epsilon": _epsilon}
  page = environment.get_template("page.html").render(runs=runs)
  whole.write(epath.Path(out), page.encode())


def _percent(share: float) -> str:
  return f"{100 * share:.1f}"


def _epsilon(value: float | None, norm: str) -> str:
  """In the unit that people use for the norm; – where the data do not say."""
  if value is None or math.isinf(value):
    return "–" if value is None else "∞"
  return f"{255 * value:.2f}/255" if norm == "linf" else f"{value:.3g}"


def _p_value(value: float) -> str:
  return f"{value:.3f}" if value >= 0.001 else f"{value:.1e}"


__all__ = ["robustbench", "write"]
