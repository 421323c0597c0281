"""Where each of our tensors lies in a checkpoint, as a short list of renamings.

Our dotted name, with torch's endings (`.weight` for kernels and scales), goes through the
renamings in order. In the result, `{q,k,v}` asks for several tensors, joined along their first
axis, and a final `.T` for the transpose.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from jaxbench import errors
from jaxbench.models.weights.files import Tensors

Renamings = tuple[tuple[str, str], ...]  # Pattern and replacement, as `re.sub` takes them.
# Of torch's modules, not of the model.
_IGNORED = re.compile(
  r"(^|\.)(num_batches_tracked|position_ids|attn_mask|"
  r"input_resolution|context_length|vocab_size)$"
)


class Source(NamedTuple):
  """The tensors of a checkpoint that make one of ours."""

  names: tuple[str, ...]
  transposed: bool


def source(target: str, renamings: Renamings) -> Source:
  """Where our tensor `target` comes from."""
  name = re.sub(r"\.(kernel|scale)$", ".weight", target)
  for pattern, replacement in renamings:
    name = re.sub(pattern, replacement, name)
  transposed = name.endswith(".T")
  name = name.removesuffix(".T")
  if braces := re.search(r"\{(.*?)\}", name):
    start, end = braces.span()
    return Source(tuple(name[:start] + p + name[end:] for p in braces[1].split(",")), transposed)
  return Source((name,), transposed)


def check(tensors: Tensors, sources: Iterable[Source]) -> None:
  """Raises InputError, naming them, for tensors that are missing or that nothing uses."""
  wanted = {name for one in sources for name in one.names}
  found = {name for name in tensors.names if not _IGNORED.search(name)}
  if missing := sorted(wanted - found):
    raise errors.InputError(f"{tensors.path}: lacks {_some(missing)}{_surplus(found - wanted)}")
  if surplus := sorted(found - wanted):
    raise errors.InputError(f"{tensors.path}: this architecture has no place for {_some(surplus)}")


def read(tensors: Tensors, target: str, one: Source, shape: tuple[int, ...] | None) -> np.ndarray:
  """Our tensor `target`, in our layout and in the dtype found.

  Args:
    tensors: of the checkpoint.
    target: our name.
    one: where it lies.
    shape: what it must be; None takes it as it is.

  Raises:
    InputError: it has another shape, or holds what is not a finite number.
  """
  parts = [tensors.read(name) for name in one.names]
  array = parts[0] if len(parts) == 1 else np.concatenate(parts)
  if not np.isfinite(array).all():
    raise errors.InputError(f"{tensors.path}: {one.names[0]} holds NaN or infinity")
  found = array.shape
  if target.endswith(".kernel"):
    wide = len(shape or ()) == 4
    array = array.transpose(2, 3, 1, 0) if wide else array.reshape(len(array), -1).T
  elif one.transposed:
    array = array.T
  if shape is not None and array.shape != shape:
    if _without_ones(array.shape) != _without_ones(shape):
      raise errors.InputError(
        f"{tensors.path}: {one.names[0]} has shape {list(found)}, which contradicts the "
        f"configuration ({target} is {list(shape)})"
      )
    array = array.reshape(shape)
  return array


def _without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
  return tuple(length for length in shape if length != 1)


def _some(names: list[str]) -> str:
  more = f" and {len(names) - 3} more" if len(names) > 3 else ""
  return ", ".join(names[:3]) + more


def _surplus(names: set[str]) -> str:
  return f" (and has no place for {_some(sorted(names))})" if names else ""
