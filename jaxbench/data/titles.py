"""What prompts call the classes of one's own set, by the lines of its `classnames.txt`."""

from collections.abc import Sequence

from jaxbench import errors
from jaxbench.data.classes import plain


def titles(where: str, lines: Sequence[str], called: Sequence[Sequence[str]]) -> tuple[str, ...]:
  """A name for each class.

  Lines are `folder<tab>name`, in any order; or all that the classes are called already, in any
  order; or other names, in the order of the classes. That order cannot be known, but a list is
  refused in which a line has the words of another class, whose own line has not.

  Args:
    where: the file, for messages.
    lines: one for each class.
    called: the names that the classes have already [N], in each way; the first is for prompts.

  Raises:
    InputError: there are more or fewer lines, or they contradict the classes.
  """
  pairs = [line.split("\t") for line in lines if line.strip()]
  if all(len(pair) == 2 for pair in pairs):
    return _by_folder(where, {kind.strip(): name.strip() for kind, name in pairs}, called)
  if len(lines) != len(called[0]):
    raise errors.InputError(f"{where} has {len(lines)} lines, and the set {len(called[0])} classes")
  listed = [plain(line) for line in lines]
  for names in called:
    plain_names = [plain(name) for name in names]
    if sorted(plain_names) == sorted(listed) and len(set(plain_names)) == len(plain_names):
      return tuple(called[0]) if names is not called[0] else _sorted_by(plain_names, listed, lines)
  _check_order(where, lines, called[0])
  return tuple(lines)


def _sorted_by(names: list[str], listed: list[str], lines: Sequence[str]) -> tuple[str, ...]:
  by_name = dict(zip(listed, lines, strict=True))
  return tuple(by_name[name] for name in names)


def _by_folder(
  where: str, names: dict[str, str], called: Sequence[Sequence[str]]
) -> tuple[str, ...]:
  for kinds in called:
    if set(kinds) <= names.keys():
      return tuple(names[kind] for kind in kinds)
  lacking = next(kind for kind in called[-1] if kind not in names)
  raise errors.InputError(f"{where} has no line for the class {lacking!r}")


def _check_order(where: str, lines: Sequence[str], names: Sequence[str]) -> None:
  words = [f" {plain(name)} " for name in names]
  said = [f" {plain(line)} " for line in lines]
  said = ["".join(c if c.isalnum() else " " for c in line) for line in said]
  has_its_words = [name in line for name, line in zip(words, said, strict=True)]
  for row, line in enumerate(said):
    others = [k for k, name in enumerate(words) if name in line and not name.strip().isdecimal()]
    if not has_its_words[row] and any(not has_its_words[other] for other in others):
      raise errors.InputError(
        f"{where}: line {row + 1} is {lines[row]!r}, but the class is {names[row]!r}; write the "
        "lines in the order of the classes, or a folder, a tab and its name in each"
      )
