"""AutoAttack (Croce & Hein, 2020, arXiv:2003.01690): the attacks that robustness is quoted under.

The l1 version is that of Croce & Hein, 2021 (arXiv:2103.01208).
"""

import functools

from jaxbench import errors
from jaxbench.attacks.apgd import apgd
from jaxbench.attacks.base import Cascade
from jaxbench.attacks.fab import fab
from jaxbench.attacks.square import square

_VERSIONS = {
  "standard": ("apgd-ce", "apgd-t", "fab-t", "square"),
  "plus": ("apgd-ce", "apgd-dlr", "fab", "square", "apgd-t", "fab-t"),
  "rand": ("apgd-ce", "apgd-dlr"),
}
_DRAWS = 20  # Of a randomised classifier, in "rand".


@functools.cache
def autoattack(
  *,
  norm: str = "linf",
  version: str = "standard",
  attacks: tuple[str, ...] | None = None,
  restarts: int | None = None,
  steps: int = 100,
  targets: int | None = None,
  queries: int = 5000,
) -> Cascade:
  """Parameter-free attacks in a row, each on what those before it did not fool.

  Args:
    norm: "linf", "l2" or "l1".
    version: "standard"; "plus", with five restarts and untargeted FAB; "rand" for randomised
      classifiers, which are called as classifier(images, key=key).
    attacks: a list of your own instead, of "apgd-ce", "apgd-dlr", "apgd-t", "fab", "fab-t" and
      "square", with the settings of "standard".
    restarts: of the untargeted APGD and FAB; by default the version's. RobustVLM's evaluation of
      robust CLIPs is attacks=("apgd-ce", "apgd-t"), restarts=5.
    steps: of each run of APGD and FAB.
    targets: of targeted attacks; 9, and 5 for APGD in l1, and K - 1 at most.
    queries: of Square.

  Raises:
    InputError: a name is unknown, or a number is out of range.

  Example:
    >>> attacks.run(attacks.autoattack(), classifier, images, labels, 4 / 255, key)
  """
  if version not in _VERSIONS:
    raise errors.unknown("version of autoattack", version, _VERSIONS)
  usual = 5 if version == "plus" or (norm == "l1" and version == "standard") else 1
  if min(value for value in (restarts, targets, 1) if value is not None) < 1:
    raise errors.InputError(
      f"autoattack needs restarts and targets >= 1, not {restarts}, {targets}"
    )
  restarts = usual if restarts is None else restarts
  aims = targets or (5 if norm == "l1" else 9)
  draws = _DRAWS if version == "rand" else 1
  plain = functools.partial(apgd, norm=norm, steps=steps, restarts=restarts, draws=draws)
  makers = {
    "apgd-ce": lambda: plain(loss="cross_entropy"),
    "apgd-dlr": lambda: plain(loss="dlr"),
    "apgd-t": lambda: apgd(norm=norm, steps=steps, loss="dlr", targets=aims),
    "fab": lambda: fab(norm=norm, steps=steps, targets=0, restarts=restarts),
    "fab-t": lambda: fab(norm=norm, steps=steps, targets=targets or 9),
    "square": lambda: square(norm=norm, queries=queries),
  }
  names = _VERSIONS[version] if attacks is None else attacks
  for name in names:
    if name not in makers:
      raise errors.unknown("attack of autoattack", name, makers)
  if not names:
    raise errors.InputError("autoattack: the list of attacks is empty")
  return Cascade(tuple(names), tuple(makers[name]() for name in names))
