"""Where each of our tensors lies in a checkpoint, as a short list of renamings.

Our dotted name, with torch's endings (`.weight` for kernels and scales), goes through the
renamings in order. In the result, `{q,k,v}` asks for several tensors, joined along their first
axis, and a final `.T` for the transpose; of a convolution, for a linear layer over its window.
"""

import math
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxbench import errors
from jaxbench.models.weights.files import Tensors

Renamings = tuple[tuple[str, str], ...]  # Pattern and replacement, as `re.sub` takes them.
# Of torch's modules and of training, not of the model.
_IGNORED = re.compile(
  r"(^|\.)(num_batches_tracked|position_ids|token_type_ids|attn_mask|mask_token|"
  r"relative_position_index|relative_coords_table|"
  r"input_resolution|context_length|vocab_size|normalizer\.new_(mean|std))$"
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


def under(prefix: str, renamings: Renamings) -> Renamings:
  """`renamings` of what has `prefix`, before and after; those without "^" stay as they are."""
  start = "^" + re.escape(prefix)
  return tuple(
    (start + pattern[1:], prefix + replacement) if pattern[0] == "^" else (pattern, replacement)
    for pattern, replacement in renamings
  )


def missing(held: set[str], targets: Iterable[str], renamings: Renamings) -> int:
  """How many of our tensors `held` does not have, under these names."""
  return sum(not held.issuperset(source(target, renamings).names) for target in targets)


def likeliest(
  held: Iterable[str], targets: Iterable[str], layouts: Sequence[Renamings]
) -> Renamings:
  """By which of the `layouts` a file names its tensors: the first that lacks the fewest."""
  names, wanted = set(held), list(targets)
  return min(layouts, key=lambda renamings: missing(names, wanted, renamings))


def check(tensors: Tensors, sources: Iterable[Source], left: str = "") -> None:
  """Raises InputError, naming them, for tensors that are missing or that nothing uses.

  Those that begin with `left`, if it says something, need no use.
  """
  wanted = {name for place in sources for name in place.names}
  held = {name for name in tensors.names if not _IGNORED.search(name)}
  held -= {name for name in held if left and name.startswith(left)}
  if missing := sorted(wanted - held):
    if 2 * len(missing) > len(wanted):
      raise errors.InputError(
        f"{tensors.path}: holds the tensors of another architecture, or under other names: it "
        f"lacks {_some(missing)}, of {len(wanted)}, and has {_some(sorted(held))}"
      )
    raise errors.InputError(f"{tensors.path}: lacks {_some(missing)}{_surplus(held - wanted)}")
  if surplus := sorted(held - wanted):
    raise errors.InputError(f"{tensors.path}: this architecture has no place for {_some(surplus)}")


def check_normalizer(tensors: Tensors, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
  """Raises InputError if the package `robustness` wrote another mean or std into the file."""
  for what, ours in {"mean": mean, "std": std}.items():
    name = f"normalizer.new_{what}"
    if name in tensors.arrays:
      theirs = tensors.read(name).astype(np.float64).ravel()
      if theirs.shape != (3,) or not np.allclose(theirs, ours, atol=1e-4):
        raise errors.InputError(
          f"{tensors.path}: {name} is {theirs.round(4).tolist()}, and the model would take {what} "
          f"{list(ours)}; say mean= and std="
        )


def joined(target: str, place: Source, shape: tuple[int, ...]) -> tuple[int, ...]:
  """The shape in torch's layout of what makes our `target` of `shape`, its parts joined."""
  if target.endswith(".kernel"):
    return (*shape[-1:], *shape[-2:-1], *shape[:-2])
  return shape[::-1] if place.transposed else shape


def read(tensors: Tensors, target: str, place: Source, shape: tuple[int, ...] | None) -> np.ndarray:
  """Our tensor `target`, in our layout and in the dtype found.

  Args:
    tensors: of the checkpoint.
    target: our name.
    place: where it lies.
    shape: what it must be; None takes it as it is.

  Raises:
    InputError: it has another shape, or holds what is not a finite floating number.
  """
  parts = [tensors.read(name) for name in place.names]
  first, where = parts[0], f"{tensors.path}: {place.names[0]}"
  if not jnp.issubdtype(first.dtype, jnp.floating):
    raise errors.InputError(
      f"{where} holds {first.dtype}, not floats; quantized weights are not read"
    )
  fits = all(part.shape[1:] == first.shape[1:] for part in parts) and first.ndim > 0
  array = first if len(parts) == 1 else np.concatenate(parts) if fits else None
  laid = None if array is None else _lay(array, target, place.transposed, shape)
  if laid is None or array is None:
    raise errors.InputError(
      f"{where} has shape {list(first.shape)}, which contradicts the configuration ({target} is "
      f"{list(shape or ())})"
    )
  if not np.isfinite(array).all():
    raise errors.InputError(f"{where} holds NaN or infinity")
  return laid


def _lay(
  array: np.ndarray, target: str, transposed: bool, shape: tuple[int, ...] | None
) -> np.ndarray | None:
  """A tensor in our layout and `shape`, if it can have that."""
  if target.endswith(".kernel"):
    wide = len(shape or ()) == 4
    if (
      shape is not None and wide and transposed
    ):  # A linear layer over the pixels of a patch, row by row.
      return array.T.reshape(shape) if array.ndim == 2 and array.size == math.prod(shape) else None
    if array.ndim != 4 if wide else array.ndim < 2 or not array.size:
      return None
    array = array.transpose(2, 3, 1, 0) if wide else array.reshape(len(array), -1).T
  elif transposed:
    array = array.T
  if shape is None or array.shape == shape:
    return array
  return array.reshape(shape) if without_ones(array.shape) == without_ones(shape) else None


def without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
  """A shape up to axes of one."""
  return tuple(length for length in shape if length != 1)


def _some(names: list[str]) -> str:
  more = f" and {len(names) - 3} more" if len(names) > 3 else ""
  return ", ".join(names[:3]) + more


def _surplus(names: set[str]) -> str:
  return f" (and has no place for {_some(sorted(names))})" if names else ""
