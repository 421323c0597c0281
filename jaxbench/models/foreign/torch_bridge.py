"""PyTorch modules as pytree callables: torchax runs them inside XLA, with gradients.

The weights are arguments of programs, never constants in them. Nothing of torch runs later but the
text tower, once for each set of prompts.
"""

import contextlib
import copy
import dataclasses
import importlib.util
import pathlib
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from jaxbench import errors
from jaxbench.models.foreign import torch_operators
from jaxbench.models.foreign.custom import Custom, digest
from jaxbench.models.parts.layers import require_floats
from jaxbench.models.preprocess import Preprocess

# As transformers calls them; as open_clip and OpenAI's CLIP do. What has both, as jina-clip, reads
# files and sentences under the latter.
_TOWERS = (
  ("get_image_features", "get_text_features"),
  ("encode_image", "encode_text"),
)
_OUTPUTS = ("logits", "image_embeds", "text_embeds", "pooler_output")  # Of transformers' objects.
_TOLERANCE = 1e-4  # Of the range of torch's outputs.
_BATCH = 64  # Sentences embedded at a time.
_WAY_OUT = (
  ". Replace that by operations on tensors that torchax knows, or port the model to JAX "
  "(models.Custom)"
)


@struct.dataclass
class Bridged:
  """A pytree callable: images float32 [B, H, W, 3] in [0, 1] -> what the module says of them."""

  weights: dict[str, jax.Array]  # Parameters and buffers that images meet; see `kept`.
  mean: jax.Array  # [3] float32.
  std: jax.Array  # [3] float32.
  function: Callable[..., Any] = struct.field(pytree_node=False)
  dtype: str = struct.field(pytree_node=False, default="float32")

  def __call__(self, images: jax.Array) -> jax.Array:
    """The module's output [B, K] for standardised images."""
    require_floats(images)
    with _any_promotion():
      images = ((images - self.mean) / self.std).astype(self.dtype)
      weights = {name: self._cast(array) for name, array in self.weights.items()}
      output = self.function(weights, jnp.moveaxis(images, -1, 1))
      return output.astype(jnp.float32)

  def _cast(self, array: jax.Array) -> jax.Array:
    return array.astype(self.dtype) if jnp.issubdtype(array.dtype, jnp.floating) else array

  def compute_in(self, dtype: str) -> "Bridged":
    """See `models.compute_in`."""
    return dataclasses.replace(self, dtype=dtype)


def from_torch(
  module: Any,
  preprocess: Preprocess,
  *,
  mean: Sequence[float] = (0.0, 0.0, 0.0),
  std: Sequence[float] = (1.0, 1.0, 1.0),
  tokenizer: Callable[[list[str]], Any] | None = None,
  class_names: Iterable[str] | None = None,
  source: str = "",
  check: bool = True,
) -> Custom:
  """A PyTorch module as a model for everything here: on a TPU or GPU too, with CPU torch.

  The module is copied, in float32 and in evaluation mode: no dropout, no batch statistics.

  Args:
    module: a `torch.nn.Module`. A classifier maps images [B, 3, H, W] to logits [B, K], or to an
      object of transformers with them; a dual encoder has `encode_image` and `encode_text`
      (open_clip, OpenAI's CLIP) or `get_image_features` and `get_text_features` (transformers).
    preprocess: how an image file becomes its input, but for `mean` and `std`.
    mean: what is taken from images in [0, 1] before the module sees them, red, green and blue; by
      default nothing, for a module that normalises by itself.
    std: what they are divided by then.
    tokenizer: of a dual encoder: sentences -> tokens [N, T] on the CPU, or a mapping of arguments
      of its text encoder.
    class_names: of the logits; see `models.Custom`.
    source: where it comes from, for the report.
    check: compare the outputs for two images with torch's.

  Raises:
    InputError: torchax is not installed, or the module cannot be traced, draws random numbers, has
      normalisation of its own beside `mean` and `std`, or differs from torch by more than 1e-4 of
      the range of its outputs.

  Example:
    >>> resnet = timm.create_model("resnet50.a1_in1k", pretrained=True)
    >>> preprocess = models.Preprocess(224, resize=235)
    >>> model = models.from_torch(resnet, preprocess, mean=IMAGENET_MEAN, std=IMAGENET_STD)
  """
  _require_torchax()
  import torch

  if not isinstance(module, torch.nn.Module):
    raise errors.InputError(f"from_torch takes a torch.nn.Module, not a {type(module).__name__}")
  _refuse_twice(module, mean, std)
  with _told(module, "cannot be copied"):
    module = copy.deepcopy(module).cpu().float().eval()
  towers = next((names for names in _TOWERS if all(hasattr(module, name) for name in names)), None)
  if towers is not None and tokenizer is None:
    raise errors.InputError(f"a module with {towers[1]} needs tokenizer=, sentences -> tokens")
  method = "forward" if towers is None else towers[0]
  images = _probe(preprocess.size)
  expected = _of_torch(module, method, ((images - mean) / std).astype(np.float32))
  network = _bridged(module, method, mean, std, preprocess.size)
  if check:
    _compare(network, images, expected, type(module).__name__)
  texts = {} if towers is None or tokenizer is None else _texts(module, towers[1], tokenizer)
  return Custom(
    network,
    preprocess,
    class_names=class_names,
    source=source or f"torch: {type(module).__name__}",
    **texts,
  )


def _texts(module: Any, method: str, tokenizer: Callable[[list[str]], Any]) -> dict[str, Any]:
  """What a `Custom` needs of a text tower, which stays in torch."""
  import torch

  def encode_texts(sentences: Sequence[str]) -> np.ndarray:
    found = []
    for start in range(0, len(sentences), _BATCH):
      tokens = tokenizer(list(sentences[start : start + _BATCH]))
      with torch.inference_mode():
        encode = getattr(module, method)
        output = encode(**tokens) if isinstance(tokens, Mapping) else encode(tokens)
      found.append(_tensor(output).numpy())
    return np.concatenate(found)

  bias = getattr(module, "logit_bias", None)
  return {
    "encode_texts": encode_texts,
    "logit_scale": float(module.logit_scale.detach().exp()),
    "logit_bias": 0.0 if bias is None else float(bias.detach()),
    "weights_digest": digest(array.numpy() for array in module.state_dict().values()),
  }


def _bridged(
  module: Any, method: str, mean: Sequence[float], std: Sequence[float], size: int
) -> Bridged:
  """Traces the module once, to see which of its weights images meet."""
  from torchax import interop

  jittable, environment = interop.JittableModule(module), torch_operators.environment()
  everything = {**jittable.buffers, **jittable.params}
  buffers = tuple(jittable.buffers)

  def function(weights: Mapping[str, jax.Array], images: jax.Array) -> jax.Array:
    # What images do not meet, as a text tower, stays out of programs.
    named = {
      name: torch_operators.as_in_torch(weights[name]) if name in weights else nothing
      for name in everything
    }
    tensors, inputs = environment.j2t_iso((named, images))
    some = {name: tensors.pop(name) for name in buffers}
    with environment:
      output = jittable.functional_call(method, tensors, some, inputs)
    return environment.t2j_iso(_tensor(output))

  nothing = jnp.zeros(())
  weights = {
    name: torch_operators.kept(jnp.asarray(array.detach().numpy()))
    for name, array in everything.items()
  }
  images = jax.ShapeDtypeStruct((2, 3, size, size), jnp.float32)
  with _any_promotion(), _told(module, "cannot be run inside XLA", _WAY_OUT):
    traced = jax.make_jaxpr(function)(weights, images).jaxpr
  read = {id(variable) for equation in traced.eqns for variable in equation.invars}
  met = [id(variable) in read for variable in traced.invars]
  weights = {
    name: weights[name] for name, needed in zip(sorted(weights), met, strict=False) if needed
  }
  return Bridged(weights, jnp.float32(mean), jnp.float32(std), function)


def _tensor(output: Any) -> Any:
  """The logits or embeddings in what a module returns."""
  if hasattr(output, "ndim"):
    return output
  for name in _OUTPUTS:
    if (tensor := getattr(output, name, None)) is not None:
      return tensor
  raise errors.InputError(
    f"the module returns a {type(output).__name__}, not a tensor [B, K]; wrap it in a module that "
    "returns the logits alone"
  )


def _probe(size: int) -> np.ndarray:
  """Two images, to compare torch and XLA on."""
  return np.random.default_rng(0).random((2, size, size, 3), np.float32)


def _of_torch(module: Any, method: str, images: np.ndarray) -> np.ndarray:
  """What torch says of standardised images; InputError if it does not say it twice."""
  import torch

  inputs = torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))
  with _told(module, f"does not take images {list(inputs.shape)}"), torch.inference_mode():
    once, again = (_tensor(getattr(module, method)(inputs)).numpy() for _ in range(2))
  if not np.array_equal(once, again, equal_nan=True):
    raise errors.InputError(
      f"{type(module).__name__} draws random numbers: two calls with the same images differ"
    )
  return once


def _compare(network: Bridged, images: np.ndarray, expected: np.ndarray, name: str) -> None:
  """Raises InputError if torch and XLA do not agree."""
  found = np.asarray(jax.jit(lambda network, images: network(images))(network, images))
  apart, wide = np.abs(found - expected).max(), np.ptp(expected)
  if not apart <= _TOLERANCE * wide:
    raise errors.InputError(
      f"{name} differs in XLA by {apart:.3g} from torch, whose outputs are {wide:.3g} wide; "
      "check=False goes on all the same"
    )


def _refuse_twice(module: Any, mean: Sequence[float], std: Sequence[float]) -> None:
  """Raises InputError for a module that holds the mean and std that are asked for."""
  from torchax import interop

  if tuple(mean) == (0, 0, 0):
    return
  parameters, buffers = interop.extract_all_buffers(module)
  held = {name: array for name, array in {**parameters, **buffers}.items() if array.numel() == 3}
  for name, array in held.items():
    if np.allclose(array.detach().cpu().float().numpy().ravel(), mean, atol=1e-4):
      raise errors.InputError(
        f"{type(module).__name__} holds mean={tuple(mean)} itself, as {name}: images would be "
        "normalised twice; leave mean and std out"
      )


def _require_torchax() -> None:
  for name in ("torch", "torchax"):
    if importlib.util.find_spec(name) is None:
      raise errors.InputError(f"{name} is not installed: pip install 'jaxbench[torch]'")


@contextlib.contextmanager
def _any_promotion() -> Iterator[None]:
  """Torch promotes types and ranks by itself, whatever JAX is told of its own."""
  with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
    yield


@contextlib.contextmanager
def _told(module: Any, what: str, way_out: str = "") -> Iterator[None]:
  """One line for whatever a module raises."""
  try:
    yield
  except errors.InputError:
    raise
  except Exception as error:
    raise errors.InputError(f"{type(module).__name__} {what}: {_reason(error)}{way_out}") from error


def _reason(error: Exception) -> str:
  """Which line of the module's code could not be traced, and why."""
  leaves = (jax.errors.ConcretizationTypeError, jax.errors.TracerArrayConversionError)
  why = errors.reason(error)
  if isinstance(error, leaves):
    why = "what it does depends on the values of the images, or it leaves torch"
  libraries = {"torch", "torchax", "jax", "jaxbench", "contextlib.py"}
  for frame in reversed(traceback.extract_tb(error.__traceback__)):
    if not libraries & set(pathlib.PurePath(frame.filename).parts):
      return f"{pathlib.PurePath(frame.filename).name}, line {frame.lineno}, {frame.line!r}: {why}"
  return why
