"""Whether an attack is that of a published table, however either of them is written.

What AutoAttack is there is told here without the attacks themselves, so that a report needs none.
"""

from typing import Any

from jaxbench import spec

_STANDARD = ("apgd-ce", "apgd-t", "fab-t", "square")
_STEPS, _TARGETS, _QUERIES = 100, 9, 5000  # Of the paper's versions.


def same_attack(ours: str, full: str, theirs: str) -> bool:
  """Whether an attack of a run is that of a table.

  Args:
    ours: the spec, as the run was asked for it.
    full: the same with every default filled in.
    theirs: the spec of the table; what it does not say is as by default.

  Raises:
    InputError: one is no spec.
  """
  (name, given), (_, filled), (other, wanted) = (
    spec.parse(text, "attack") for text in (ours, full, theirs)
  )
  defaults = {key: value for key, value in filled.items() if key not in given}
  return name == other and _normal(name, defaults | given) == _normal(name, defaults | wanted)


def _normal(name: str, given: dict[str, Any]) -> dict[str, Any]:
  """What the arguments come to where AutoAttack's defaults are another way to write them."""
  if name != "autoattack":
    return given
  norm, version = given.get("norm", "linf"), given.get("version", "standard")
  names = given.get("attacks") or (_STANDARD if version == "standard" else version)
  usual = 5 if version == "plus" or (norm == "l1" and version == "standard") else 1
  targets = given.get("targets") or (None if norm == "l1" else _TARGETS)
  normal = {"norm": norm, "attacks": names, "targets": targets}
  normal |= {"steps": given.get("steps", _STEPS), "restarts": given.get("restarts") or usual}
  if "square" in names:
    normal["queries"] = given.get("queries", _QUERIES)
  return normal
