"""What was asked for as a whole, and of which nothing can be run."""

import sys
from collections.abc import Iterable

from jaxbench import config, errors
from jaxbench.plan import Cell, Plan, perturbations
from jaxbench.plan.classifiers import Absent

_NAMED = 5  # Of what is absent for one reason; the report has them all.


def require(settings: config.Config, cells: Iterable[Cell], absent: Iterable[Absent]) -> None:
  """Raises InputError if a field asks for what none of the `cells` is; `available` allows it.

  A data set is such a whole too: a natural shift that no model can serve.

  Args:
    settings: as `config.checked` returns them.
    cells: that can be run, or have been.
    absent: the others, with the reasons.
  """
  if settings.available:
    return
  cells = list(cells)
  gone = [
    f"--config.{field}"
    for field in (kind.field for kind in perturbations.KINDS.values() if kind.field)
    if _asked(settings, field) and not any(cell.perturbation.field == field for cell in cells)
  ]
  served = {cell.data for cell in cells}
  gone += [f"--config.data={name}" for name in settings.data if name not in served]
  able = {cell.model for cell in cells}
  gone += [f"--config.models={name}" for name in settings.models if name not in able]
  asked = [each for name in settings.data for each in config.prompts_on(settings, name)]
  if used := {cell.prompts for cell in cells} & set(asked):  # Else nothing here reads prompts.
    gone += [f"--config.prompts={name}" for name in dict.fromkeys(asked) if name not in used]
  if gone:
    raise errors.InputError(
      f"nothing of {' and '.join(gone)} can be run. {'; '.join(lines(absent))}. "
      "Leave it out, or set --config.available to go on with the rest"
    )


def begin(settings: config.Config, plan: Plan) -> None:
  """Says what of a plan cannot be run, before the rest is.

  Raises:
    InputError: nothing can be, or nothing of a whole; see `require`.
  """
  if not plan.cells:
    raise errors.InputError(f"nothing can be run. {'; '.join(lines(plan.absent))}")
  require(settings, plan.cells, plan.absent)
  for line in lines(plan.absent):
    print(f"jaxbench: cannot be run: {line}", file=sys.stderr)


def lines(absent: Iterable[Absent]) -> list[str]:
  """What cannot be run, a line for each reason."""
  reasons: dict[str, list[str]] = {}
  for one in absent:
    reasons.setdefault(one.reason, []).append(one.what)
  return [f"{_some(what)}: {reason}" for reason, what in reasons.items()]


def _some(names: list[str]) -> str:
  more = len(names) - _NAMED
  return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _asked(settings: config.Config, field: str) -> bool:
  value = settings
  for name in field.split("."):
    value = getattr(value, name)
  return bool(value)
