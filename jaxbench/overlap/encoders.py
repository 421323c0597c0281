"""What makes vectors of images: a model of this package, or one that was trained to find copies."""

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxbench import data, devices, errors, models, seats, user_file
from jaxbench.models.parts.layers import normalize


@dataclasses.dataclass(frozen=True)
class Encoder:
  """Images become vectors that are near where the images are alike."""

  name: str
  encode: Any  # A pytree callable: float32 [B, H, W, 3] in [0, 1] -> float [B, D], of any length.
  preprocess: Callable[[np.ndarray], np.ndarray]  # uint8 [h, w, 3] -> uint8 [H, W, 3].
  copies: bool  # Trained to tell copies from images that only show the same.

  @functools.cached_property
  def identity(self) -> dict[str, Any]:
    """What decides its vectors."""
    digest = hashlib.sha256()
    for leaf in jax.tree.leaves(self.encode):
      digest.update(np.asarray(leaf).tobytes())
    return {
      "name": self.name,
      "copies": self.copies,
      "preprocess": repr(self.preprocess),
      "weights": digest.hexdigest(),
    }


def load(name: str, *, download: bool = False) -> Encoder:
  """An encoder.

  Args:
    name: a model as `models.load` takes it: of CLIP and SigLIP the image tower, of a supervised
      model what its last layer sees; or a Python file whose `get_encoder()` returns an `Encoder`.
    download: fetch a model that is not on this disk.

  Raises:
    InputError: there is no such model, or the file has no such function.
  """
  if name.endswith(".py"):
    return _from_file(name)
  model = models.load(name, download=download)
  encode = model.visual if hasattr(model, "visual") else _without_last_layer(model)
  return Encoder(name, encode, model.preprocess, copies=False)


def encode(
  encoder: Encoder, source: data.Source, batches: Sequence[Sequence[int]], slots: int, workers: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
  """Unit vectors of some images.

  Args:
    encoder: whose.
    source: of the images.
    batches: indices into it, so many decoded images at a time in memory.
    slots: images per device and program, at the most.
    workers: processes that decode; 0 is threads of this one.

  Yields:
    For each batch float32 [N, D], and which of its indices these are: bool [M], not those whose
    images cannot be read.

  Raises:
    InputError: a vector is not finite.
  """
  replicated, slots = devices.replicate(encoder.encode), seats.even(max(map(len, batches)), slots)
  for batch in data.stream(source, batches, encoder.preprocess, workers):
    if not len(batch.images):
      yield np.zeros((0, 0), np.float32), batch.readable
      continue
    parts = devices.stream(_program(), replicated, (batch.images,), slots)
    vectors = np.concatenate([part.fetch() for part in parts])
    if not np.isfinite(vectors).all():
      raise errors.InputError(f"{encoder.name} has vectors that are not finite, or of length 0")
    yield vectors, batch.readable


@functools.cache
def _program() -> Callable[..., Any]:
  def unit(encode: Any, images: jax.Array) -> jax.Array:
    return normalize(encode(images.astype(jnp.float32) / 255).astype(jnp.float32))

  return devices.shard(unit)


def _without_last_layer(model: Any) -> Any:
  """A copy whose last linear layer hands on what it is given."""
  copy = jax.tree.map(lambda leaf: leaf, model)
  owner, name = (copy, "fc") if hasattr(copy, "fc") else (copy.head, "fc3")
  last = getattr(owner, name)
  inputs = last.kernel[...].shape[0]
  last.kernel = nnx.Param(jnp.eye(inputs))
  last.bias = nnx.Param(jnp.zeros(inputs))
  return copy


def _from_file(name: str) -> Encoder:
  encoder = user_file.call(name, "get_encoder")
  if not isinstance(encoder, Encoder):
    raise errors.InputError(f"{name}: get_encoder() must return a jaxbench.overlap.Encoder")
  return dataclasses.replace(encoder, name=name)
