"""Tells which data sets lie in a folder, how much of each there is, and how to get the others.

  python -m jaxbench.data check ROOT

Without ROOT it is that of the environment, JAXBENCH_DATA.
"""

import itertools
import os
import pathlib
import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from absl import flags

from jaxbench import data, errors, program


class State(NamedTuple):
  """What can be said of one data set, or of several that are all absent."""

  name: str
  detail: str
  sound: bool  # It is whole, or not there at all.


def check(root: pathlib.Path) -> Iterator[State]:
  """All published data sets, one by one.

  Raises:
    InputError: the root is not a folder.
  """
  if not root.is_dir():
    raise errors.InputError(f"{root} is not a folder")
  for family, group in itertools.groupby(data.CATALOG, key=lambda name: name.split("/")[0]):
    names = list(group)
    if any(data.CATALOG[name].find(root) for name in names):
      yield from (_state(name, root) for name in names)
    else:
      yield _absent(family, names, root)


def _absent(family: str, names: list[str], root: pathlib.Path) -> State:
  """Of one data set, or of all of a family."""
  places = " or ".join(data.CATALOG[names[0]].places[:2])
  sets = f", {len(names)} of them" if len(names) > 1 else ""
  near = next((hint for name in names if (hint := data.CATALOG[name].near(root))), None)
  way = f"but {near}" if near else data.CATALOG[names[0]].origin
  return State(family, f"absent (as {places}{sets}): {way}", near is None)


def _state(name: str, root: pathlib.Path) -> State:
  published = data.CATALOG[name]
  path = published.find(root)
  if path is None:
    near = published.near(root)
    return State(name, f"absent: {f'but {near}' if near else published.origin}", near is None)
  try:
    source = data.load(name, root)
  except errors.InputError as error:
    return State(name, str(error), False)
  expected, count = published.examples, len(source)
  share = f"{count:,} images" + ("" if count == expected else f" of {expected:,}")
  left_out = data.counted(source.left_out)
  more = f"; left out: {left_out}" if left_out else ""
  return State(name, f"{path.relative_to(root)}: {share}{more}", count >= expected)


def _check(arguments: Sequence[str]) -> int:
  if len(arguments) not in (1, 2) or arguments[0] != "check":
    raise errors.InputError("usage: python -m jaxbench.data check ROOT")
  root = arguments[1] if len(arguments) == 2 else os.environ.get("JAXBENCH_DATA", "")
  if not root:
    raise errors.InputError("name the folder, data check ROOT, or set JAXBENCH_DATA")
  results = list(check(pathlib.Path(root).expanduser()))
  width = max(len(result.name) for result in results)
  for result in results:
    print(f"{result.name:{width}}  {result.detail}")
  return 0 if all(result.sound for result in results) else 1


def main(arguments: Sequence[str]) -> int:
  """Exit status: 0 if all that is there is whole, 1 if not, 2 for wrong input."""
  return program.run("jaxbench.data", __doc__, flags.FlagValues(), _check, arguments)


if __name__ == "__main__":
  sys.exit(main(sys.argv[1:]))
