"""Whatever maps images to logits, as a pytree of arrays that programs can take."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from jaxbench import errors


@dataclasses.dataclass(frozen=True, eq=False)
class _Closed:
  """A callable that is no pytree. Nobody knows what it closes over, so that no two are the same."""

  whole: Any


@struct.dataclass
class Opened:
  """A callable of which some leaves, or all of it, are no arrays: they are structure."""

  arrays: tuple[Any, ...]
  others: tuple[Any, ...] = struct.field(pytree_node=False)  # (place, leaf) of each.
  structure: Any = struct.field(pytree_node=False)

  def __call__(self, images: jax.Array, **key: jax.Array) -> Any:
    """What the callable says."""
    return self._whole()(images, **key)

  def __getattr__(self, name: str) -> Any:
    """What a classifier may tell beside its logits, if the callable does."""
    if name == "same_as":
      return self._whole().same_as
    if name == "compute_in" and (compute_in := self._whole().compute_in):
      return lambda dtype: opened(compute_in(dtype))
    raise AttributeError(name)

  def _whole(self) -> Any:
    leaves = list(self.arrays)
    for place, leaf in self.others:
      leaves.insert(place, leaf.whole if isinstance(leaf, _Closed) else leaf)
    return jax.tree.unflatten(self.structure, leaves)


def opened(classifier: Any) -> Any:
  """Any callable as a pytree of 32-bit arrays, as attacks take it.

  A function that is no pytree is compiled anew in every run, with what it closes over inside.

  Raises:
    InputError: it cannot be called, or a leaf is neither an array nor hashable.
  """
  if not callable(classifier):
    raise errors.InputError(
      f"the classifier must be callable, images [B, H, W, 3] -> logits [B, K]; it is a "
      f"{type(classifier).__name__}"
    )
  leaves, structure = jax.tree.flatten(classifier)
  if len(leaves) == 1 and leaves[0] is classifier:
    return Opened((), ((0, _Closed(classifier)),), structure)
  others = tuple((place, leaf) for place, leaf in enumerate(leaves) if not _is_array(leaf))
  arrays = [_narrow(leaf) for leaf in leaves if _is_array(leaf)]
  if not others:
    return jax.tree.unflatten(structure, arrays)
  for _, leaf in others:
    try:
      hash(leaf)
    except TypeError:
      raise errors.InputError(
        f"a leaf of the classifier is a {type(leaf).__name__}, neither an array nor hashable; "
        "make it part of the pytree's structure"
      ) from None
  return Opened(tuple(arrays), others, structure)


def _is_array(leaf: Any) -> bool:
  return isinstance(leaf, (jax.Array, np.ndarray, np.generic, bool, int, float, complex))


def _narrow(leaf: Any) -> Any:
  """64 bits become 32, in which everything here is computed."""
  wide = getattr(leaf, "dtype", None) in (np.float64, np.int64, np.uint64, np.complex128)
  return jnp.asarray(np.asarray(leaf)) if wide else leaf
