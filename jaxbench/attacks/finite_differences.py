"""NES and SPSA: descent without gradients, by finite differences along random directions.

References: Ilyas et al., 2018 (arXiv:1804.08598), whose directions are Gaussian, and Uesato et al.,
2018 (arXiv:1802.05666), whose are random signs. Objective and steps are those of RoZ (Wang et al.,
2024, arXiv:2403.10499): signs of the estimated slope of the margin, no momentum and no Adam.
"""

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

from jaxbench import errors
from jaxbench.attacks.base import Attack, Classifier, Example, Progress, logits_of
from jaxbench.attacks.engine import view
from jaxbench.attacks.parts import losses, norms


@struct.dataclass
class FiniteDifferencesState:
  """One example."""

  example: Example
  image: jax.Array  # [H, W, 3] float32, inside the ball and inside [0, 1].
  progress: Progress


@functools.cache
def nes(
  *,
  queries: int = 4020,
  norm: str = "linf",
  pairs: int = 100,
  sigma: float = 0.001,
  step_size: float = 0.15,
  chunk: int | None = None,
) -> Attack:
  """Steps along estimates from Gaussian directions; it stops at the first image that fools.

  Args:
    queries: the most forward passes. A step makes 2 `pairs` + 1 and only whole steps are made: the
      default is 20 steps.
    norm: "linf", "l2" or "l1", whose steps are those of `pgd`.
    pairs: directions of one estimate; each is tried forwards and backwards.
    sigma: how far, in pixel units; images of 8 bits are moved by a level at least, or nothing would
      change. RoZ's 0.001 is in CLIP's normalised units, 0.00027 here. A search in bfloat16 needs
      more than the default.
    step_size: of one step, in units of epsilon.
    chunk: pairs that are evaluated at a time, a divisor of `pairs`; by default the largest up to
      10. More need more memory, and change only rounding.

  Raises:
    InputError: a value is out of range or a name unknown.
  """
  return _attack("nes", jax.random.normal, queries, norm, pairs, sigma, step_size, chunk)


@functools.cache
def spsa(
  *,
  queries: int = 4020,
  norm: str = "linf",
  pairs: int = 100,
  sigma: float = 0.001,
  step_size: float = 0.15,
  chunk: int | None = None,
) -> Attack:
  """The same from directions of random signs; arguments and errors are those of `nes`."""
  return _attack("spsa", signs, queries, norm, pairs, sigma, step_size, chunk)


def signs(key: jax.Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> jax.Array:
  """Random signs, one for each bit drawn, where `jax.random.rademacher` draws 32 for each."""
  size = math.prod(shape)
  bits = jnp.unpackbits(jax.random.bits(key, (math.ceil(size / 8),), jnp.uint8), count=size)
  return 2 * bits.reshape(shape).astype(dtype) - 1


def _attack(
  name: str,
  draw: Callable[..., jax.Array],
  queries: int,
  norm: str,
  pairs: int,
  sigma: float,
  step_size: float,
  chunk: int | None,
) -> Attack:
  if pairs < 1 or min(sigma, step_size) <= 0:
    raise errors.InputError(
      f"{name} needs pairs >= 1, sigma and step_size > 0, not {pairs}, {sigma}, {step_size}"
    )
  if chunk is None:  # With several slots more is no faster, and often slower.
    chunk = max(divisor for divisor in range(1, 11) if pairs % divisor == 0)
  if chunk < 1 or pairs % chunk:
    raise errors.InputError(f"{name} needs a chunk that divides pairs={pairs}, not {chunk}")
  forwards = 2 * pairs + 1
  steps = queries // forwards
  if steps < 1:
    raise errors.InputError(
      f"{name} with pairs={pairs} makes {forwards} queries in a step; queries={queries} are too few"
    )
  ball = norms.get(norm)

  def init(example: Example, run: jax.Array | int = 0) -> FiniteDifferencesState:
    return FiniteDifferencesState(
      example=example,
      image=example.clean,
      progress=Progress.begin(),
    )

  def estimate(classifier: Classifier, state: FiniteDifferencesState) -> jax.Array:
    """The gradient of the margin."""
    reach = max(sigma, view.spacing(classifier))

    def add(total: jax.Array, keys: jax.Array) -> tuple[jax.Array, None]:
      """Adds what some of the directions say to the total, [H, W, 3]."""
      towards = jax.vmap(lambda key: draw(key, state.image.shape, jnp.float32))(keys)
      mask = state.example.mask
      towards = towards if mask is None else jnp.where(mask[None], towards, 0.0)
      points = state.image[None] + reach * jnp.concatenate([towards, -towards])
      margins = jax.vmap(losses.margin, (0, None))(classifier(points), state.example.label)
      gaps = margins[:chunk] - margins[chunk:]
      gaps = jnp.where(jnp.isfinite(gaps), gaps, 0.0)  # What is no number says nothing.
      return total + jnp.tensordot(gaps, towards, 1), None

    keys = jax.random.split(jax.random.fold_in(state.example.key, state.progress.count), pairs)
    start = jnp.zeros_like(state.image)
    total, _ = jax.lax.scan(add, start, keys.reshape(pairs // chunk, chunk))
    return total / (2 * pairs * reach)

  def step(classifier: Classifier, state: FiniteDifferencesState) -> FiniteDifferencesState:
    example = state.example
    uphill = ball.steepest(estimate(classifier, state), state.image)
    moved = state.image + step_size * example.epsilon * uphill
    moved = ball.project(example.clean, moved, example.epsilon)
    # Queried after the move: an image that fools costs no more estimates.
    image = jnp.where(state.progress.fooled, state.image, moved)
    fooled = losses.fooled(logits_of(classifier, image), example.label)
    count = state.progress.count + 1
    progress = Progress(count, fooled, done=fooled | (count >= steps))
    return dataclasses.replace(state, image=image, progress=progress)

  return Attack(init, step, ball, steps, forwards=forwards, backwards=0)
