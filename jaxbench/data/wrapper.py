"""Sources around sources: whatever one of them does not change, it has from the one inside."""

from typing import Any

from jaxbench.data.source import Example, Source

_NEEDED = ("class_names", "ids", "labels", "sha256")  # There is no default for these.
# All that a source has, but for its length and its examples.
MEMBERS = sorted(name for name in {**Source.__annotations__, **vars(Source)} if name[0] != "_")


class Wrapper(Source):
  """A source with all that `source` says of itself; those who change something override it.

  Args:
    source: a `Source`, or whatever has the attributes of one that have no default: it has the
      defaults of what else it lacks.
  """

  def __init__(self, source: Any):
    self.source = source

  def __len__(self) -> int:
    """Number of examples."""
    return len(self.source)

  def __getitem__(self, index: int) -> Example:
    """The example `ids[index]`."""
    return self.source[index]


class _Forwarded:
  """A member that a wrapper has from its source."""

  def __init__(self, name: str):
    self._name = name

  def __get__(self, wrapper: Wrapper | None, owner: type) -> Any:
    if wrapper is None:
      return self
    try:
      return getattr(wrapper.source, self._name)
    except AttributeError:
      if isinstance(wrapper.source, Source) or self._name in _NEEDED:
        raise
      return getattr(super(Wrapper, wrapper), self._name)


for _name in MEMBERS:  # Also those that `Source` comes to declare: no wrapper drops one.
  setattr(Wrapper, _name, _Forwarded(_name))


def complete(source: Any) -> Source:
  """Anyone's data set as a `Source`: itself, or with defaults for what it does not say.

  Args:
    source: has `class_names`, `ids`, `labels`, `sha256`, a length and examples, see `Source`.
  """
  return source if isinstance(source, Source) else Wrapper(source)
