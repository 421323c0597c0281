"""An evaluation from a notebook: what a config and a command would do, in one call."""

import dataclasses
import html
import tempfile
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa
from etils import epath

from jaxbench import (
  attacks,
  config,
  corruptions,
  errors,
  metrics,
  plan,
  records,
  report,
  typography,
)
from jaxbench.evaluate import runner
from jaxbench.models.foreign import made
from jaxbench.plan.suites import begin

_ALL = {"corruptions": corruptions.NAMES, "attacks": ("autoattack",)}  # Suites by one word.
_KINDS: dict[str, Mapping[str, Any]] = {
  "corruptions": corruptions.CORRUPTIONS,
  "attacks": attacks.ATTACKS,
  "typography": typography.OVERLAYS,
}
_EPSILONS = (4 / 255,)


class Summary:
  """The tables that a run prints when it ends; a notebook shows them as tables."""

  def __init__(self, tables: pa.Table, metric: dict[str, str]):
    self.table = tables  # Of `metrics.summarize`: a row per cell, with intervals.
    self._metric = metric

  def __repr__(self) -> str:
    """As on a console."""
    return metrics.overview(self.table, self._metric)

  def _repr_html_(self) -> str:
    shown = []
    for title, columns in metrics.overview_tables(self.table, self._metric):
      head, *lines = ["".join(map(_cell, line)) for line in zip(*columns, strict=True)]
      head = head.replace("<td>", "<th>").replace("</td>", "</th>")
      rows = "".join(f"<tr>{line}</tr>" for line in lines)
      shown.append(f"<table><caption>{title}</caption><tr>{head}</tr>{rows}</table>")
    return "".join(shown)


def _cell(text: str) -> str:
  return f"<td>{html.escape(text)}</td>"


@dataclasses.dataclass(frozen=True)
class Run:
  """A finished evaluation."""

  workdir: epath.Path  # As `jaxbench run` would have left it; `jaxbench report` reads it.

  @property
  def rows(self) -> pa.Table:
    """One per example and cell; see `records.read`."""
    return records.read(self.workdir)

  @property
  def summary(self) -> Summary:
    """One line per model."""
    known = records.load_run(self.workdir)["data"]
    metric = {name: about.get("metric", "") for name, about in known.items()}
    return Summary(metrics.summarize(records.read_finished(self.workdir)), metric)

  def report(self) -> epath.Path:
    """Writes the page, and returns where it is."""
    page = self.workdir / "report.html"
    report.write([self.workdir], page)
    return page


def evaluate(
  model: Any,
  data: str | Iterable[str] = "digits",
  suites: str | Iterable[str] = (),
  *,
  epsilons: Iterable[float] = _EPSILONS,
  workdir: epath.PathLike | None = None,
  **settings: Any,
) -> Run:
  """Evaluates models on data sets, clean and under what `suites` name.

  Args:
    model: a name as `models.load` takes it, a `models.Custom`, another model of this package, or
      several of these.
    data: names or paths of data sets.
    suites: "corruptions" (the fifteen of ImageNet-C), "attacks" (AutoAttack), or single ones:
      "fog", "pgd(steps=10)", "text(size=0.25)".
    epsilons: of the attacks, in [0, 1] pixel units.
    workdir: a folder, new or of the same evaluation, which then goes on; by default a new one that
      the system may clear.
    **settings: further fields of `config.Config`: `limit=200`, `prompts=("openai_80",)`.

  Raises:
    InputError: something of that name is not there, or cannot be asked for.

  Example:
    >>> run = jaxbench.evaluate("digits-clip", suites=["fog", "pgd(steps=10)"], limit=100)
    >>> run.summary
  """
  members = [model] if isinstance(model, str) or not isinstance(model, (list, tuple)) else model
  names = tuple(
    one if isinstance(one, str) else made.hold(f"model-{number}", one)
    for number, one in enumerate(members)
  )
  asked = {
    "models": names,
    "data": _several(data),
    **_suites(_several(suites), epsilons),
    **settings,
  }
  if unknown := asked.keys() - {field.name for field in dataclasses.fields(config.Config)}:
    raise errors.unknown("setting", min(unknown), config.fields(config.Config))
  checked = config.checked(config.Config(**asked))
  folder = epath.Path(workdir or tempfile.mkdtemp(prefix="jaxbench-"))
  planned = plan.make(checked)
  begin(checked, planned)
  runner.run(checked, planned, folder)
  return Run(folder)


def _several(value: str | Iterable[str]) -> tuple[str, ...]:
  return (value,) if isinstance(value, str) else tuple(value)


def _suites(names: tuple[str, ...], epsilons: Iterable[float]) -> dict[str, Any]:
  """The fields of a config that ask for them."""
  single = [one for name in names for one in _ALL.get(name, (name,))]
  found: dict[str, list[str]] = {kind: [] for kind in _KINDS}
  for name in single:
    of = [kind for kind, table in _KINDS.items() if name.partition("(")[0] in table]
    if not of:
      raise errors.unknown(
        "suite", name, [*_ALL, *(one for table in _KINDS.values() for one in table)]
      )
    found[of[0]].append(name)
  return {
    "corruptions": config.Corruptions(names=tuple(found["corruptions"])),
    "attacks": config.Attacks(names=tuple(found["attacks"]), epsilons=tuple(epsilons)),
    "typography": tuple(found["typography"]),
  }
