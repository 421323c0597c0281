"""One example on its way through a slot, and what it is searched with."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import struct

from jaxbench.attacks.base import Attack, as_float

NOBODY = -1  # The row of an empty slot.


class Search(NamedTuple):
  """What a slot program is compiled for."""

  attack: Attack
  quantize: bool = False  # Classify and return images rounded to 8 bits.
  tolerance: float | None = None  # Bisect for the smallest epsilon, to so much; None: one epsilon.
  aimed: bool = False  # What is searched is an `Aimed`, of which the attack sees two logits.


@struct.dataclass
class Waiting:
  """What the host sends of an example that waits for a slot."""

  row: jax.Array  # [] int32, or NOBODY.
  words: jax.Array  # [2] uint32, of its PRNG key.
  image: jax.Array  # [H, W, 3] uint8 or float32 in [0, 1].
  label: jax.Array  # [] int32, as the attack counts classes.
  epsilon: jax.Array  # [] float32; for a bisection, the largest to try.
  handicap: jax.Array  # [] float32, in logits: see `View`.
  mask: jax.Array | None = None  # [H, W, 3] bool: what may change; None: everything.
  start: jax.Array | None = None  # [H, W, 3] float32: where to begin; None: anywhere.


@struct.dataclass
class Job:
  """One example from its admission to its departure."""

  row: jax.Array  # [] int32, or NOBODY.
  words: jax.Array  # [2] uint32.
  clean: jax.Array  # [H, W, 3] float32 in [0, 1].
  label: jax.Array  # [] int32, as the attack counts classes.
  handicap: jax.Array  # [] float32, in logits.
  radius: jax.Array  # [] float32: the largest epsilon.
  epsilon: jax.Array  # [] float32, of the run in progress.
  run: jax.Array  # [] int32, restarts and targets before this one.
  active: jax.Array  # [] bool: needs its slot.
  image: jax.Array  # [H, W, 3] float32: the result so far.
  fooled: jax.Array  # [] bool: `image` did, says the attack.
  strength: jax.Array  # [] float32, of `image`, among several runs.
  steps: jax.Array  # [] int32, of all runs that have ended.
  low: jax.Array  # [] float32: largest epsilon that failed, in a bisection.
  high: jax.Array  # [] float32: size of the smallest perturbation that fooled.
  mask: jax.Array | None = None  # [H, W, 3] bool: what may change.
  start: jax.Array | None = None  # [H, W, 3] float32: where to begin.


def admit(waiting: Waiting) -> Job:
  """Jobs [S] of waiting examples [S]."""
  image = as_float(waiting.image)
  none = jnp.zeros_like(waiting.row)
  return Job(
    row=waiting.row,
    words=waiting.words,
    clean=image,
    label=waiting.label,
    handicap=waiting.handicap,
    radius=waiting.epsilon,
    epsilon=waiting.epsilon,
    run=none,
    active=waiting.row != NOBODY,
    image=image,
    fooled=none != 0,
    strength=jnp.full_like(waiting.epsilon, -jnp.inf),
    steps=none,
    low=jnp.zeros_like(waiting.epsilon),
    high=jnp.full_like(waiting.epsilon, jnp.inf),
    mask=waiting.mask,
    start=waiting.start,
  )
