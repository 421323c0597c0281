"""The balls that perturbations live in: each can sample, ascend, project, measure and quantize.

Every ball is cut by the box [0, 1] that images live in.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxbench import errors
from jaxbench.attacks.parts import grid, roots


class Norm(NamedTuple):
  """One norm. Arrays are one image [H, W, 3] float32; radii are in [0, 1] pixel units."""

  sample: Callable[[jax.Array, jax.Array, jax.Array], jax.Array]  # (key, image, radius) -> delta
  # (gradient, image) -> step of size 1
  steepest: Callable[[jax.Array, jax.Array], jax.Array]
  project: Callable[[jax.Array, jax.Array, jax.Array], jax.Array]  # (clean, image, radius) -> image
  size: Callable[[jax.Array], jax.Array]  # delta -> float32 []
  quantize: grid.Quantize  # (clean, image) -> image of 8 bits, no farther from the clean one


def _sample_linf(key: jax.Array, image: jax.Array, radius: jax.Array) -> jax.Array:
  return radius * jax.random.uniform(key, image.shape, image.dtype, -1.0, 1.0)


def _project_linf(clean: jax.Array, image: jax.Array, radius: jax.Array) -> jax.Array:
  return jnp.clip(clean + jnp.clip(image - clean, -radius, radius), 0.0, 1.0)


def euclidean(delta: jax.Array) -> jax.Array:
  """The 2-norm, of tiny and huge arrays too."""
  # Scaled first: squares of tiny gradients would vanish in float32.
  largest = jnp.maximum(jnp.abs(delta).max(), jnp.finfo(delta.dtype).tiny)
  return largest * jnp.sqrt(jnp.sum(jnp.square(delta / largest)))


def unit(delta: jax.Array) -> jax.Array:
  """`delta` at 2-norm 1; zero stays zero."""
  size = euclidean(delta)
  return jnp.where(size > 0, delta / jnp.where(size > 0, size, 1.0), 0.0)


def _sample_l2(key: jax.Array, image: jax.Array, radius: jax.Array) -> jax.Array:
  """Uniform in the ball: a direction, and a radius distributed as U^(1/d)."""
  direction, distance = jax.random.split(key)
  towards = unit(jax.random.normal(direction, image.shape, image.dtype))
  return radius * jax.random.uniform(distance, (), image.dtype) ** (1 / image.size) * towards


def _project_l2(clean: jax.Array, image: jax.Array, radius: jax.Array) -> jax.Array:
  """The image is moved into the ball, then into the box, which stays in the ball."""
  delta = image - clean
  size = euclidean(delta)
  return jnp.clip(clean + jnp.where(size > radius, radius * unit(delta), delta), 0.0, 1.0)


def _taxicab(delta: jax.Array) -> jax.Array:
  return jnp.abs(delta).sum()


def _sample_l1(key: jax.Array, image: jax.Array, radius: jax.Array) -> jax.Array:
  """Uniform in the ball: d of d + 1 exponential variables over their sum, with random signs."""
  sizes, last, signs = jax.random.split(key, 3)
  values = jax.random.exponential(sizes, image.shape, image.dtype)
  total = values.sum() + jax.random.exponential(last, (), image.dtype)
  return radius * jax.random.rademacher(signs, image.shape, image.dtype) * values / total


_L1_SHARE = 0.01  # Of the coordinates that an l1 step moves.


def _steepest_l1(gradient: jax.Array, image: jax.Array) -> jax.Array:
  """The largest percent of the gradient, by sign, where the box lets it (Tramer & Boneh, 2019)."""
  blocked = ((image <= 0) & (gradient < 0)) | ((image >= 1) & (gradient > 0))
  return sparse_sign(jnp.where(blocked, 0.0, gradient), jnp.float32(_L1_SHARE))


def sparse_sign(gradient: jax.Array, share: jax.Array) -> jax.Array:
  """Signs of the `share` of coordinates that is largest, ties included, at 1-norm 1."""
  sizes = jnp.abs(gradient)
  rank = jnp.clip(((1 - share) * gradient.size).astype(jnp.int32), 0, gradient.size - 1)
  kept = jnp.where(sizes >= roots.order_statistic(sizes, rank), jnp.sign(gradient), 0.0)
  return kept / jnp.maximum(jnp.abs(kept).sum(), 1.0)


def _project_l1(clean: jax.Array, image: jax.Array, radius: jax.Array) -> jax.Array:
  """The nearest point of ball and box together (Croce & Hein, 2021, proposition 2.1).

  Every coordinate gives up what is outside the box, or a common amount, whichever is more, but at
  most all it has.
  """
  delta = image - clean
  sizes = jnp.abs(delta)
  outside = jnp.maximum(jnp.maximum(-image, image - 1), 0.0)

  def shrunk(amount: jax.Array) -> jax.Array:
    return jnp.maximum(sizes - jnp.maximum(outside, amount), 0.0)

  amount = roots.smallest(lambda amount: shrunk(amount).sum() <= radius)
  return jnp.clip(clean + jnp.sign(delta) * shrunk(amount), 0.0, 1.0)


def sphere(norm: str, key: jax.Array, image: jax.Array) -> jax.Array:
  """A random vector [H, W, 3] of size 1, drawn as AutoAttack draws it."""
  if norm == "linf":
    noise = jax.random.uniform(key, image.shape, image.dtype, -1.0, 1.0)
  else:
    noise = jax.random.normal(key, image.shape, image.dtype)
  return noise / (get(norm).size(noise) + 1e-12)


NORMS: dict[str, Norm] = {
  "linf": Norm(
    sample=_sample_linf,
    steepest=lambda gradient, image: jnp.sign(gradient),
    project=_project_linf,
    size=lambda delta: jnp.abs(delta).max(),
    quantize=grid.by_largest_change,
  ),
  "l2": Norm(
    sample=_sample_l2,
    steepest=lambda gradient, image: unit(gradient),
    project=_project_l2,
    size=euclidean,
    quantize=grid.by_total(euclidean),
  ),
  "l1": Norm(
    sample=_sample_l1,
    steepest=_steepest_l1,
    project=_project_l1,
    size=_taxicab,
    quantize=grid.by_total(_taxicab),
  ),
}


def norm_name(norm: Norm) -> str:
  """The name of one of `NORMS`."""
  return next(name for name, ball in NORMS.items() if ball is norm)


def get(name: str) -> Norm:
  """The norm `name`.

  Raises:
    InputError: there is no such norm.
  """
  if name not in NORMS:
    raise errors.unknown("norm", name, NORMS)
  return NORMS[name]
