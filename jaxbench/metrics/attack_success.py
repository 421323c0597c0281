"""What papers call the success of an attack: five definitions, which differ on the same rows.

Of N queries, C are answered right without the attack and A with it: images whose class is right,
or queries of a retrieval that rank their own among the first k.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from jaxbench import errors


def attack_success(
  rows: pa.Table, definition: str, *, clean: pa.Table | None = None, k: int = 1
) -> float | None:
  """The success of an attack in one cell, a share of 1 unless the definition says otherwise.

  `set_difference`: of the right ones, those that the attack makes wrong, |C \\ A| / |C| (SGA,
  X-Transfer; ours). `points`: how far accuracy or recall falls, (|C| - |A|) / N (Co-Attack).
  `relative`: that over accuracy, (|C| - |A|) / |C|; never more than `set_difference`, and equal
  where the attack makes nothing right. `targeted`: the share whose prediction is the target.
  `fooling`: the share whose prediction changes (Moosavi-Dezfooli et al., 2017).

  Args:
    rows: of `records.read`, of one attacked cell.
    definition: one of `DEFINITIONS`.
    clean: of a retrieval, the rows of the cell without the attack, whose ranks count.
    k: of a retrieval: how many first places are right.

  Returns:
    None where nothing can be divided by: no rows, or none right without the attack.

  Raises:
    InputError: the definition is unknown, or needs targets that the rows lack.
  """
  if definition not in DEFINITIONS:
    raise errors.unknown("definition of attack success", definition, DEFINITIONS)
  return DEFINITIONS[definition](_Counted(rows, clean, k))


class _Counted:
  """What is right, [N] bool, without and with the attack."""

  def __init__(self, rows: pa.Table, clean: pa.Table | None, k: int):
    columns = ["prediction", "clean_prediction", "label"]
    self.prediction, self.before, self.label = (rows[one].to_numpy() for one in columns)
    self.target = rows["target"]
    if clean is None:
      self.clean, self.attacked = self.before == self.label, self.prediction == self.label
      return
    ranks = dict(zip(clean["example"].to_pylist(), clean["rank"].to_pylist(), strict=True))
    if missing := [one for one in rows["example"].to_pylist() if one not in ranks]:
      raise errors.InputError(f"{len(missing)} examples have no clean row, {missing[0]} first")
    self.clean = np.array([ranks[one] < k for one in rows["example"].to_pylist()], bool)
    self.attacked = rows["rank"].to_numpy() < k


def _set_difference(found: _Counted) -> float | None:
  return _share((found.clean & ~found.attacked).sum(), found.clean.sum())


def _points(found: _Counted) -> float | None:
  return _share(found.clean.sum() - found.attacked.sum(), len(found.clean))


def _relative(found: _Counted) -> float | None:
  return _share(found.clean.sum() - found.attacked.sum(), found.clean.sum())


def _targeted(found: _Counted) -> float | None:
  if found.target.null_count:
    raise errors.InputError("these rows have no targets: the attack was not targeted")
  return _share((found.prediction == found.target.to_numpy()).sum(), len(found.clean))


def _fooling(found: _Counted) -> float | None:
  return _share((found.prediction != found.before).sum(), len(found.clean))


def _share(part: Any, whole: Any) -> float | None:
  return float(part / whole) if whole else None


DEFINITIONS: dict[str, Callable[[_Counted], float | None]] = {
  "set_difference": _set_difference,
  "points": _points,
  "relative": _relative,
  "targeted": _targeted,
  "fooling": _fooling,
}
