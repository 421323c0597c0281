"""What a prompt is judged by while it is searched or learnt: features that were embedded once."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import struct

from jaxbench import errors
from jaxbench.models.encoders.clip import CLIP
from jaxbench.models.encoders.text_transformer import TextTransformer
from jaxbench.models.prompting import context

_BATCH = 4096  # Features whose logits are in memory.


@struct.dataclass
class Task:
  """Images of K classes, embedded, and what embeds the classes. A pytree: pass it into `jit`."""

  text: TextTransformer
  logit_scale: jax.Array  # [] float32.
  names: context.Suffixes  # Of K classes.
  features: jax.Array  # [N, D] float32, unit rows.
  labels: jax.Array  # [N] int32.


def prompt_task(
  clip: CLIP,
  class_names: Sequence[str],
  features: np.ndarray,
  labels: np.ndarray,
  length: int,
) -> Task:
  """The task of telling `class_names` apart with a context of `length` tokens.

  Args:
    clip: of whose image tower the features are.
    class_names: K names.
    features: float32 [N, D], normalised.
    labels: integers [N] in 0..K-1.
    length: of the context, in tokens.

  Raises:
    InputError: there is no image, or a name is too long or cannot be read.
  """
  if not len(features):
    raise errors.InputError("there are no images to search prompts on")
  names = context.suffixes(clip.config, class_names, length)
  arrays = (jnp.asarray(features), jnp.asarray(labels, jnp.int32))
  return Task(context.text_tower(clip), clip.logit_scale, names, *arrays)


def score(task: Task, vectors: jax.Array) -> tuple[jax.Array, jax.Array]:
  """Mean cross-entropy and accuracy, float32 [] each, of a context float [n, W]."""
  classes = context.encode_classes(task.text, task.names, vectors)

  @jax.checkpoint  # The logits of all images are never kept.
  def cross_entropy(feature: jax.Array, label: jax.Array) -> tuple[jax.Array, jax.Array]:
    logits = task.logit_scale * (classes @ feature)
    loss = optax.softmax_cross_entropy_with_integer_labels(logits, label)
    return loss, (jnp.argmax(logits) == label).astype(jnp.float32)

  batch = min(_BATCH, len(task.labels))
  losses, right = jax.lax.map(
    lambda pair: cross_entropy(*pair), (task.features, task.labels), batch_size=batch
  )
  return losses.mean(), right.mean()
