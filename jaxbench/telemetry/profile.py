"""A trace of one block of a run, as JAX's profiler takes it."""

import contextlib
from collections.abc import Iterator

import jax
from etils import epath


class Trace:
  """Takes one trace, of a block whose programs have been compiled for one before it.

  Args:
    folder: for the trace; None takes none.
  """

  def __init__(self, folder: epath.PathLike | None):
    self._folder = folder

  @property
  def lacking(self) -> bool:
    """Whether a trace was asked for and has not been taken yet."""
    return self._folder is not None

  @contextlib.contextmanager
  def block(self, *, first: bool) -> Iterator[None]:
    """Traces what it wraps, if it is not the first of its data set."""
    if self._folder is None or first:
      yield
      return
    folder, self._folder = self._folder, None
    with jax.profiler.trace(str(folder)):
      yield
