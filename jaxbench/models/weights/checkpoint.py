"""What every reader of a foreign format returns, and how a model is filled from it."""

import dataclasses
import functools
import pathlib
import types
from collections.abc import Mapping, Sequence
from concurrent import futures
from typing import Any, NamedTuple

import jax
import numpy as np
from etils import epath
from flax import nnx, traverse_util

from jaxbench import errors
from jaxbench.models.architectures import Config, Model, family
from jaxbench.models.encoders.tokenizer_file import TokenizerFile
from jaxbench.models.parts.layers import Undrawn
from jaxbench.models.weights import files, mapping, positions
from jaxbench.models.weights.files import Tensors
from jaxbench.models.weights.mapping import Source

_THREADS = 4  # More are no faster: memory is the limit.
_LINE = 64  # Bytes of a cache line; JAX takes over on CPU what begins with one.


@dataclasses.dataclass(frozen=True)
class Description:
  """What is known of a model without reading its tensors."""

  architecture: str  # A key of `architectures.FAMILIES`.
  config: Any  # A `Config`; of a model of one's own its `CustomConfig`.
  parameters: int
  sha256: str  # Of the tensors or the files that hold them.
  source: str  # Where the weights came from, for the report.


class Checkpoint(NamedTuple):
  """Weights in somebody's format, and where our tensors lie in them."""

  config: Config
  weights: pathlib.Path
  layouts: Sequence[mapping.Renamings]  # How its tensors may be named, likeliest first.
  source: str
  antialias: bool = True  # When position embeddings are resized.
  offset: float = 0.0  # See `positions.resize`.
  resizes: bool = False  # Whether they always are: there may be fewer or more than are wanted.
  tokenizer: TokenizerFile | None = None
  key: str | None = None  # Which network of the file.
  left: str = ""  # What begins so is no tower's tensor, and is not read.
  only: str = ""  # Why images have one size; "" where they may have others.
  head: pathlib.Path | None = None  # A second file: the classifier on what `weights` holds.


def abstract(config: Config, tokenizer: TokenizerFile | None = None) -> Model:
  """The model with shapes in place of arrays, and the tokenizer if one came with its weights."""
  model: Any = nnx.clone(_traced(config))
  if tokenizer is not None:
    model.tokenizer = tokenizer
  return model


@functools.cache
def _traced(config: Config) -> Model:
  """Kept, because to trace a network takes a while, and to copy a model does not."""
  return nnx.eval_shape(lambda: family(config).module(config, rngs=Undrawn()))


def tokenizer_file(config: Any, path: epath.PathLike) -> TokenizerFile | None:
  """The tokenizer.json at `path`, for a model that has one of its own."""
  tokenizer = getattr(config, "tokenizer", None)
  return None if tokenizer is None else TokenizerFile(tokenizer, str(path))


def tensors(model: Model) -> dict[str, Any]:
  """All arrays of `model` by their dotted names."""
  flat = traverse_util.flatten_dict(nnx.to_pure_dict(nnx.state(model)))
  return {".".join(map(str, path)): array for path, array in flat.items()}


def parameters(model: Model) -> int:
  """How many numbers were trained; statistics of batch norms are not."""
  return sum(array.size for array in jax.tree.leaves(nnx.state(model, nnx.Param)))


@functools.cache
def shapes(config: Config) -> Mapping[str, jax.ShapeDtypeStruct]:
  """Of all arrays of a model, by their dotted names."""
  return types.MappingProxyType(tensors(abstract(config)))


@functools.cache
def _parameters(config: Config) -> int:
  return parameters(abstract(config))


def fill(model: Model, named: dict[str, Any]) -> Model:
  """Puts arrays, by their dotted names, into `model`."""
  state = nnx.state(model)
  flat = traverse_util.flatten_dict(nnx.to_pure_dict(state))
  filled = {path: named[".".join(map(str, path))] for path in flat}
  nnx.replace_by_pure_dict(state, traverse_util.unflatten_dict(filled))
  nnx.update(model, state)
  return model


def describe(checkpoint: Checkpoint, image_size: int | None) -> Description:
  """The description of a foreign checkpoint; its files are hashed once."""
  config = _sized(checkpoint, image_size)
  opened = _opened(checkpoint)
  return Description(
    architecture=family(config).name,
    config=config,
    parameters=_parameters(config),
    sha256=files.sha256(opened.files, checkpoint.key),
    source=checkpoint.source,
  )


def load(checkpoint: Checkpoint, image_size: int | None) -> Model:
  """The model, one tensor at a time, each in the dtype found.

  Raises:
    InputError: a tensor is missing, surplus, of another shape or not finite.
  """
  config = _sized(checkpoint, image_size)
  model = abstract(config, checkpoint.tokenizer)
  wanted = tensors(model)
  opened = _opened(checkpoint)
  renamings = mapping.likeliest(opened.names, wanted, checkpoint.layouts)
  sources = {name: mapping.source(name, renamings) for name in wanted}
  mapping.check(opened, sources.values(), checkpoint.left)
  mapping.check_normalizer(opened, config.mean, config.std)
  resizes = checkpoint.resizes or config != checkpoint.config
  antialias = checkpoint.antialias if resizes else None
  return fill(model, read(opened, sources, wanted, antialias, checkpoint.offset))


def _opened(checkpoint: Checkpoint) -> Tensors:
  backbone = files.open_tensors(checkpoint.weights, checkpoint.key)
  if checkpoint.head is None:
    return backbone
  return files.together(
    checkpoint.head,
    {"backbone": backbone, "linear_head": files.open_tensors(checkpoint.head)},
  )


def is_resized(name: str) -> bool:
  """Whether our tensor `name` grows with the size of images."""
  return name.endswith("positional_embedding") and not name.startswith("text.")


def read(
  opened: Tensors,
  sources: Mapping[str, Source],
  wanted: Mapping[str, Any],
  antialias: bool | None,
  offset: float = 0.0,
) -> dict[str, jax.Array]:
  """Arrays by our names, in the shapes that are `wanted`.

  Args:
    opened: the files.
    sources: where our tensors lie in them.
    wanted: arrays, or shapes, by our names.
    antialias: how position embeddings of images are resized; None where they are not.
    offset: how else; see `positions.resize`.

  Raises:
    InputError: a tensor is of another shape or not finite.
  """

  def read_one(name: str) -> np.ndarray:
    if antialias is not None and is_resized(name):
      table = mapping.read(opened, name, sources[name], None)
      table = table.reshape(-1, table.shape[-1])
      rows = wanted[name].shape[0]
      return positions.resize(table, rows, antialias=antialias, offset=offset)
    copy = _copy(mapping.read(opened, name, sources[name], wanted[name].shape))
    opened.release(*sources[name].names)
    return copy

  with futures.ThreadPoolExecutor(_THREADS) as pool:  # numpy copies without holding Python.
    arrays = zip(sources, pool.map(read_one, sources), strict=True)
    return {name: jax.device_put(array) for name, array in arrays}


def _copy(array: np.ndarray) -> np.ndarray:
  """A copy where JAX takes it over as it is on CPU, without another copy: aligned.

  Not the array itself, which may be a view of a mapped file.
  """
  buffer = np.empty(array.nbytes + _LINE, np.uint8)
  start = -buffer.ctypes.data % _LINE
  copy = buffer[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
  if array.flags.c_contiguous or not array.ndim:
    copy[...] = array
    return copy
  step = _LINE // array.itemsize  # Transposed: by whole cache lines, seven times as fast.
  for first in range(0, array.shape[-1], step):
    copy[..., first : first + step] = array[..., first : first + step]
  return copy


def _sized(checkpoint: Checkpoint, image_size: int | None) -> Config:
  """For images of another size, the margin around the crop kept in proportion."""
  config = checkpoint.config
  if image_size is None or image_size == config.preprocess.size:
    return config
  if checkpoint.only:
    raise errors.InputError(f"image_size={image_size}: of this model {checkpoint.only} is read")
  patch = getattr(config, "patch_size", None)
  if patch is not None and image_size % patch:
    raise errors.InputError(f"image_size={image_size} is no multiple of the patch size {patch}")
  if getattr(getattr(config, "tower", None), "distance_bias", False):
    raise errors.InputError(
      f"image_size={image_size}: the biases of this model were learnt for the distances in images "
      f"of {config.preprocess.size} pixels, and are not interpolated"
    )
  before = config.preprocess
  resize = before.resize and round(before.resize * image_size / before.size)
  preprocess = dataclasses.replace(before, size=image_size, resize=resize)
  return dataclasses.replace(config, preprocess=preprocess)
