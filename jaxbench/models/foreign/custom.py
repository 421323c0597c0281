"""A model of one's own: any callable, with what an evaluation needs to know of it."""

import dataclasses
import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxbench import callables, errors
from jaxbench.models.parts.layers import normalize
from jaxbench.models.preprocess import Preprocess

TextEncoder = Callable[[Sequence[str]], Any]  # N sentences -> [N, D].
# What differs between two traces of the same: addresses, and the numbers that checkify counts by.
_COUNTED = re.compile(r"0x[0-9a-f]+|\b\d+:i32\[\]")


@dataclasses.dataclass(frozen=True)
class CustomConfig:
  """What is known of a `Custom`."""

  preprocess: Preprocess
  num_classes: int | None  # None: it is zero-shot.
  class_names: tuple[str, ...] | None  # Of the logits, if it tells.

  @property
  def supervised(self) -> bool:
    """Whether its classes were fixed in training."""
    return self.num_classes is not None


@jax.tree_util.register_pytree_node_class
class Custom:
  """A model of one's own; what `get_model()` of a file returns that `--config.models` names.

  A pytree callable: images float32 [B, H, W, 3] in [0, 1] -> float32 logits [B, K], or embeddings
  [B, D] of a zero-shot model.

  Args:
    network: a pytree callable, images float32 [B, H, W, 3] in [0, 1] -> floating-point logits
      [B, K], or embeddings [B, D] if there is `encode_texts`. Its normalisation is inside it. A
      flax.nnx or Equinox module, a `jax.tree_util.Partial`, a `models.from_torch(...)`, a defence;
      a plain function too, whose arrays are then part of every program.
    preprocess: how an image file becomes its input.
    class_names: of its logits. Without them, 1,000 logits are ImageNet's classes in their usual
      order; any other number is the classes of the data set, in the order of the data set.
    encode_texts: makes it zero-shot: N sentences -> embeddings [N, D], of any length. It is called
      outside of programs, so it can be in any framework.
    logit_scale: the factor on cosine similarities, already exponentiated (CLIP's is 100).
    logit_bias: what is added then (SigLIP has one).
    source: where it comes from, for the report.
    weights_digest: of weights that are no leaves of `network`, as those of `encode_texts`: a run
      whose model has changed is not continued.

  Raises:
    InputError: the network cannot be traced, gives something else, changes from call to call, or
      has another number of classes than names.

  Example:
    >>> models.Custom(network, models.Preprocess(224, resize=256), source="my lab, run 7")
  """

  def __init__(
    self,
    network: Any,
    preprocess: Preprocess,
    *,
    class_names: Iterable[str] | None = None,
    encode_texts: TextEncoder | None = None,
    logit_scale: float = 100.0,
    logit_bias: float = 0.0,
    source: str = "",
    weights_digest: str = "",
  ):
    if not isinstance(preprocess, Preprocess):
      raise errors.InputError(
        f"preprocess must be a models.Preprocess(size), not a {type(preprocess).__name__}"
      )
    if any(kind.__module__.startswith("torch.") for kind in type(network).__mro__):
      raise errors.InputError("a torch module is not a JAX callable: use models.from_torch(...)")
    self.visual = callables.opened(network)
    self.logit_scale, self.logit_bias = jnp.float32(logit_scale), jnp.float32(logit_bias)
    width, captured = _look(self.visual, preprocess.size)
    names = None if class_names is None else tuple(class_names)
    if encode_texts is not None and names is not None:
      raise errors.InputError("a zero-shot model has no class names of its own: leave them out")
    if names is not None and len(names) != width:
      raise errors.InputError(f"it has {width} logits and {len(names)} class names")
    self.config = CustomConfig(preprocess, None if encode_texts else width, names)
    self.encode_texts, self.source = encode_texts, source
    weights = [*jax.tree.leaves((self.visual, self.logit_scale, self.logit_bias)), *captured]
    self.sha256 = digest(weights, weights_digest)

  def __call__(self, images: jax.Array) -> jax.Array:
    """What the network says, in float32."""
    return self.visual(images).astype(jnp.float32)

  @property
  def preprocess(self) -> Preprocess:
    """How an image file becomes this model's input."""
    return self.config.preprocess

  def embed_texts(self, texts: Sequence[str]) -> jax.Array:
    """N sentences -> float32 [N, D], unit rows.

    Raises:
      InputError: the model has no text encoder, or that raises or gives something else.
    """
    if self.encode_texts is None:
      raise errors.InputError("this models.Custom has no encode_texts: it cannot read prompts")
    try:
      found = np.asarray(self.encode_texts(list(texts)))
    except Exception as error:
      raise errors.InputError(f"encode_texts raised {errors.reason(error)}") from error
    if found.ndim != 2 or len(found) != len(texts) or not np.isfinite(found).all():
      raise errors.InputError(
        f"encode_texts must give {len(texts)} finite embeddings [N, D], not {list(found.shape)}"
      )
    return normalize(jnp.asarray(found, jnp.float32))

  @property
  def same_as(self) -> Any:
    """See `ZeroShot`."""
    return getattr(self.visual, "same_as", None)

  def compute_in(self, dtype: str) -> "Custom":
    """See `models.compute_in`; InputError if the network has no such method."""
    if not hasattr(self.visual, "compute_in"):
      raise errors.InputError(
        f"to compute in {dtype}, the network of a models.Custom needs a method compute_in(dtype)"
      )
    (_, *scales), structure = self.tree_flatten()
    return self.tree_unflatten(structure, (self.visual.compute_in(dtype), *scales))

  def tree_flatten(self) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """For JAX."""
    children = (self.visual, self.logit_scale, self.logit_bias)
    return children, (self.config, self.encode_texts, self.source, self.sha256)

  @classmethod
  def tree_unflatten(cls, structure: tuple[Any, ...], children: tuple[Any, ...]) -> "Custom":
    """For JAX; nothing is checked again."""
    custom = object.__new__(cls)
    custom.visual, custom.logit_scale, custom.logit_bias = children
    custom.config, custom.encode_texts, custom.source, custom.sha256 = structure
    return custom


def _look(network: Any, size: int) -> tuple[int, list[Any]]:
  """How many numbers it gives for an image, and the arrays that it holds outside of its leaves."""
  images = jax.ShapeDtypeStruct((2, size, size, 3), jnp.float32)
  try:
    traced, again = (
      jax.make_jaxpr(lambda network, images: network(images))(network, images) for _ in range(2)
    )
  except errors.InputError:
    raise
  except Exception as error:
    raise errors.InputError(
      f"JAX cannot trace the network on images [2, {size}, {size}, 3]: {errors.reason(error)}"
    ) from error
  if _structure(traced) != _structure(again) or not _equal(traced.consts, again.consts):
    raise errors.InputError(
      "the network changes from call to call: randomness must come from a key that is part of it"
    )
  outputs = traced.out_avals
  if (
    len(outputs) != 1
    or outputs[0].ndim != 2
    or outputs[0].shape[0] != 2
    or not jnp.issubdtype(outputs[0].dtype, jnp.floating)
  ):
    told = ", ".join(f"{output.dtype} {list(output.shape)}" for output in outputs) or "nothing"
    raise errors.InputError(
      f"the network must map images [B, H, W, 3] to floating-point logits [B, K], or to embeddings "
      f"[B, D]; for two images it gives {told}"
    )
  return outputs[0].shape[1], list(traced.consts)


def _structure(traced: Any) -> str:
  return _COUNTED.sub("", str(traced.jaxpr))


def _equal(some: Sequence[Any], others: Sequence[Any]) -> bool:
  pairs = zip(some, others, strict=True)
  return all(np.array_equal(np.asarray(one), np.asarray(other)) for one, other in pairs)


def digest(arrays: Iterable[Any], more: str = "") -> str:
  """sha256 of arrays, with their shapes and dtypes, and of a text."""
  hashed = hashlib.sha256(more.encode())
  for array in arrays:
    if jnp.issubdtype(array.dtype, jax.dtypes.prng_key):
      array = jax.random.key_data(array)
    array = np.asarray(array)
    hashed.update(f"{array.dtype}{array.shape}".encode())
    hashed.update(np.ascontiguousarray(array).tobytes())
  return hashed.hexdigest()
