"""Projections onto a hyperplane inside the box [0, 1] (Croce & Hein, 2020, arXiv:1907.02044).

Each lowers a linear function of an image by a given amount, at the least cost in its norm; where
the box does not allow so much, it goes as far as the box allows. All are for one image [H, W, 3].
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxbench import errors
from jaxbench.attacks.parts import norms, roots

# (weights, image, amount) -> delta with <weights, delta> = -amount. A negative amount raises it.
Projection = Callable[[jax.Array, jax.Array, jax.Array], jax.Array]

_NEGLIGIBLE = 1e-8  # Share of the largest weight: what is below it does not move in l2.


def _room(weights: jax.Array, image: jax.Array) -> jax.Array:
  """How far each coordinate can go against the sign of its weight."""
  return jnp.where(weights < 0, 1 - image, image)


def _linf(weights: jax.Array, image: jax.Array, amount: jax.Array) -> jax.Array:
  sizes, room = jnp.abs(weights), _room(weights, image)

  def lowered(step: jax.Array) -> tuple[jax.Array, jax.Array]:
    return (sizes * jnp.minimum(step, room)).sum(), jnp.where(room > step, sizes, 0.0).sum()

  return -jnp.sign(weights) * jnp.minimum(roots.newton(lowered, amount), room)


def _l2(weights: jax.Array, image: jax.Array, amount: jax.Array) -> jax.Array:
  sizes = jnp.abs(weights)
  sizes = jnp.where(sizes > _NEGLIGIBLE * sizes.max(), sizes, 0.0)
  moving = sizes > 0
  room = jnp.where(moving, _room(weights, image) / jnp.where(moving, sizes, 1.0), 0.0)

  def lowered(step: jax.Array) -> tuple[jax.Array, jax.Array]:
    squares = jnp.square(sizes)
    return (squares * jnp.minimum(step, room)).sum(), jnp.where(room > step, squares, 0.0).sum()

  return -jnp.sign(weights) * sizes * jnp.minimum(roots.newton(lowered, amount), room)


def _l1(weights: jax.Array, image: jax.Array, amount: jax.Array) -> jax.Array:
  """The heaviest coordinates go all the way; the last ones that are needed, a part of it."""
  sizes, room = jnp.abs(weights), _room(weights, image)
  gains = sizes * room
  last = roots.smallest(lambda size: jnp.where(sizes > size, gains, 0.0).sum() <= amount)
  before = jnp.where(sizes > last, gains, 0.0).sum()
  within = jnp.where(sizes == last, gains, 0.0).sum()
  part = jnp.where(within > 0, (amount - before) / jnp.where(within > 0, within, 1.0), 0.0)
  moved = jnp.where(sizes > last, room, jnp.where(sizes == last, jnp.clip(part, 0, 1) * room, 0.0))
  return -jnp.sign(weights) * moved


_PROJECTIONS: dict[str, Projection] = {"linf": _linf, "l2": _l2, "l1": _l1}


def projection(norm: str) -> Projection:
  """The projection in the norm of that name.

  Raises:
    InputError: there is no such norm.
  """
  if norm not in _PROJECTIONS:
    raise errors.unknown("norm", norm, _PROJECTIONS)
  lower = _PROJECTIONS[norm]

  def project(weights: jax.Array, image: jax.Array, amount: jax.Array) -> jax.Array:
    raising = amount < 0
    return lower(jnp.where(raising, -weights, weights), image, jnp.abs(amount))

  return project


DUAL: dict[str, Callable[[jax.Array], jax.Array]] = {
  "linf": lambda gradient: jnp.abs(gradient).sum(),
  "l2": norms.euclidean,
  "l1": lambda gradient: jnp.abs(gradient).max(),
}
