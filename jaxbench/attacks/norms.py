"""The balls that perturbations live in: each can sample, climb, project and measure."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxbench import errors


class Norm(NamedTuple):
  """One norm. Arrays are one image [H, W, 3] float32; radii are in [0, 1] pixel units."""

  sample: Callable[[jax.Array, jax.Array, jax.Array], jax.Array]  # (key, image, radius) -> delta
  steepest: Callable[[jax.Array], jax.Array]  # gradient -> unit vector that climbs fastest
  project: Callable[[jax.Array, jax.Array], jax.Array]  # (delta, radius) -> nearest in the ball
  size: Callable[[jax.Array], jax.Array]  # delta -> float32 []


def _sample_linf(key: jax.Array, image: jax.Array, radius: jax.Array) -> jax.Array:
  return radius * jax.random.uniform(key, image.shape, image.dtype, -1.0, 1.0)


def _euclidean(delta: jax.Array) -> jax.Array:
  # Scaled first: squares of tiny gradients would vanish in float32.
  largest = jnp.maximum(jnp.abs(delta).max(), jnp.finfo(delta.dtype).tiny)
  return largest * jnp.sqrt(jnp.sum(jnp.square(delta / largest)))


def _unit(delta: jax.Array) -> jax.Array:
  size = _euclidean(delta)
  return jnp.where(size > 0, delta / jnp.where(size > 0, size, 1.0), 0.0)


def _sample_l2(key: jax.Array, image: jax.Array, radius: jax.Array) -> jax.Array:
  """Uniform in the ball: a direction, and a radius distributed as U^(1/d)."""
  direction, distance = jax.random.split(key)
  unit = _unit(jax.random.normal(direction, image.shape, image.dtype))
  return radius * jax.random.uniform(distance, (), image.dtype) ** (1 / image.size) * unit


def _project_l2(delta: jax.Array, radius: jax.Array) -> jax.Array:
  size = _euclidean(delta)
  return jnp.where(size > radius, radius * _unit(delta), delta)


NORMS: dict[str, Norm] = {
  "linf": Norm(
    sample=_sample_linf,
    steepest=jnp.sign,
    project=lambda delta, radius: jnp.clip(delta, -radius, radius),
    size=lambda delta: jnp.abs(delta).max(),
  ),
  "l2": Norm(sample=_sample_l2, steepest=_unit, project=_project_l2, size=_euclidean),
}


def get(name: str) -> Norm:
  """The norm `name`.

  Raises:
    InputError: there is no such norm.
  """
  if name not in NORMS:
    raise errors.unknown("norm", name, NORMS)
  return NORMS[name]


def project(norm: Norm, clean: jax.Array, image: jax.Array, radius: jax.Array) -> jax.Array:
  """`image` brought into the ball around `clean`, then into [0, 1], which stays in the ball."""
  return jnp.clip(clean + norm.project(image - clean, radius), 0.0, 1.0)
