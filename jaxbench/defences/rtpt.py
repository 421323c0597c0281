"""Test-time prompt tuning (Shu et al., 2022, arXiv:2209.07511), and its robust form (Sheng et al.,
CVPR 2025, arXiv:2504.11195).

The robust one was shown images that were made on the undefended CLIP: RN50, PGD of 7 steps of a
quarter of 1/255, in half precision, and cut to 8 bits by truncation, which blunts such steps. On
fine-grained sets both mix their views by AugMix (`augmix=True`, of crops that are not rounded to 8
bits first, as theirs are); on ImageNet's kin they do not. Their sentences end in a full stop, which
those here lack. Published for the plain one, RN50 on
clean images: ImageNet 58.16 to 60.74, -A 21.83 to 26.67, -V2 51.41 to 54.7, -R 56.15 to 59.11,
Sketch 33.37 to 35.09.
"""

import dataclasses
from collections.abc import Callable
from typing import Annotated, Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import struct

from jaxbench import errors, spec
from jaxbench.defences import base, views
from jaxbench.defences.base import Cost, Defence


class Prompts(NamedTuple):
  """What reads a context of vectors before each class name."""

  embed: Callable[[jax.Array], jax.Array]  # A pytree: float [n, W] -> float32 [K, D], unit rows.
  context: jax.Array  # float32 [n, W], to begin with: embedded words.


@struct.dataclass
class RTPT(Defence):
  """Tunes the context to be certain of an image's views, and answers by them."""

  prompts: Prompts
  views: int = struct.field(pytree_node=False)
  chosen: int = struct.field(pytree_node=False)
  steps: int = struct.field(pytree_node=False)
  rate: float = struct.field(pytree_node=False)
  decay: float = struct.field(pytree_node=False)
  robust: bool = struct.field(pytree_node=False)
  neighbours: int = struct.field(pytree_node=False)
  temperature: float = struct.field(pytree_node=False)
  augmix: bool = struct.field(pytree_node=False)

  draws: ClassVar[bool] = True

  def one(self, image: jax.Array, key: jax.Array) -> jax.Array:
    """See `Defence`."""
    return self.viewed(views.of(image, self.own(key), self.views, mix=self.augmix))

  def viewed(self, shown: jax.Array) -> jax.Array:
    """Logits [K] of views [V, H, W, 3], of which the first is the image itself."""
    features = views.features(self, shown)
    logits = self.read(self.tuned(jax.lax.stop_gradient(features)), features)
    if not self.robust:
      return logits[0]
    weights = self.weights(features)
    return (jax.lax.stop_gradient(weights) if self.backward == "bpda" else weights) @ logits

  def read(self, context: jax.Array, features: jax.Array) -> jax.Array:
    """Logits [V, K] of features [V, D] by the class names behind a context."""
    return dataclasses.replace(self.classifier, text=self.prompts.embed(context).T).classify(
      features
    )

  def tuned(self, features: jax.Array) -> jax.Array:
    """The context [n, W], a constant to derivatives: Adam's first step is a sign."""
    first = views.entropies(self.read(self.prompts.context, features))
    certain = features[jnp.argsort(first)[: self.chosen]]

    def loss(context: jax.Array) -> jax.Array:
      logits = self.read(context, certain)
      if self.robust:
        return views.entropies(logits).mean()
      mean = jax.nn.logsumexp(jax.nn.log_softmax(logits), axis=0)  # Of shares, but for a constant.
      return views.entropies(mean[None])[0]

    optimizer = optax.adamw(self.rate, weight_decay=self.decay)
    context, state = self.prompts.context, optimizer.init(self.prompts.context)
    for _ in range(self.steps):
      slope = jax.grad(loss)(context)
      with jax.numpy_dtype_promotion("standard"):  # optax mixes floats and counts.
        updates, state = optimizer.update(slope, state, context)
      context = optax.apply_updates(context, updates)
    return jax.lax.stop_gradient(context)

  def weights(self, features: jax.Array) -> jax.Array:
    """[V] of views [V, D], the larger the nearer to some others; their sum is 1."""
    units = jax.vmap(base.directed)(features)
    alike = jnp.where(jnp.eye(len(units), dtype=bool), -jnp.inf, units @ units.T)
    nearest = jax.lax.top_k(alike, self.neighbours)[0]
    return jax.nn.softmax(nearest.mean(axis=-1) / self.temperature)

  @property
  def passes(self) -> Cost:
    """See `Defence`; text passes are counted by class names, all at once."""
    return Cost(self.views, 0, 2 + self.steps, self.steps)


def rtpt(
  classifier: Any,
  prompts: Prompts,
  *,
  views: int = 64,
  chosen: int = 6,
  steps: int = 1,
  rate: float = 5e-3,
  decay: float = 0.01,
  neighbours: int = 20,
  temperature: float = 0.01,
  augmix: Annotated[bool, spec.LATER] = False,
  backward: str = "exact",
  seed: int = 0,
) -> RTPT:
  """Tunes the context on each of the certain views, and answers by all, weighted by likeness.

  Args:
    classifier: a zero-shot one, with `features`, `classify` and `text`.
    prompts: what reads a context before its class names, in place of its own prompts.
    views: the image and so many less one random crops, mirrored or not.
    chosen: those of which the first context is most certain, whose entropies are lowered.
    steps: of AdamW, from the same context for each image.
    rate: of AdamW.
    decay: of AdamW.
    neighbours: a view weighs by its mean cosine to so many others, the nearest.
    temperature: of these weights.
    augmix: mix the crops by AugMix, as published for fine-grained sets.
    backward: see `Defence`. The tuned context is a constant to all; to "bpda" the weights are too,
      and "smooth" is "exact".
    seed: of the crops where no key is given.

  Raises:
    InputError: a value is out of range, a name unknown, or the classifier is no zero-shot one.
  """
  options = (views, chosen, steps, rate, decay)
  made = _made("rtpt", classifier, prompts, options, backward, seed, augmix=augmix)
  base.check("rtpt", backward=backward, temperature=(temperature, 1e-6), neighbours=(neighbours, 1))
  if neighbours >= views:
    raise errors.InputError(
      f"rtpt: a view of {views} has fewer than neighbours={neighbours} others"
    )
  return dataclasses.replace(made, robust=True, neighbours=neighbours, temperature=temperature)


def tpt(
  classifier: Any,
  prompts: Prompts,
  *,
  views: int = 64,
  chosen: int = 6,
  steps: int = 1,
  rate: float = 5e-3,
  decay: float = 0.01,
  augmix: Annotated[bool, spec.LATER] = False,
  backward: str = "exact",
  seed: int = 0,
) -> RTPT:
  """Tunes the context on the mean of the certain views, and answers the image alone.

  Arguments and errors are those of `rtpt`; all three ways to differentiate are the same.
  """
  options = (views, chosen, steps, rate, decay)
  return _made("tpt", classifier, prompts, options, backward, seed, augmix=augmix)


def _made(
  name: str,
  classifier: Any,
  prompts: Prompts,
  options: tuple[int, int, int, float, float],
  backward: str,
  seed: int,
  *,
  augmix: bool,
) -> RTPT:
  views, chosen, steps, rate, decay = options
  base.check(
    name,
    backward=backward,
    views=(views, 2),
    chosen=(chosen, 1),
    steps=(steps, 0),
    rate=(rate, 0),
    decay=(decay, 0),
  )
  base.require_features(name, classifier)
  if not hasattr(classifier, "text"):
    raise errors.InputError(f"{name} tunes prompts, and needs a zero-shot classifier alone inside")
  if chosen > views:
    raise errors.InputError(f"{name}: of {views} views {chosen} cannot be chosen")
  return RTPT(classifier, backward, seed, prompts, *options, False, 1, 1.0, augmix)
