"""How predictions change from one frame to another, on the device; see `metrics.flip_rates`.

A flip is a different prediction. The top-5 distance is the sum over i = 1..5 of
|min(i - 1, 5) - min(s(i) - 1, 5)|, where s(i) is the rank in one frame of the class ranked i in the
other (Hendrycks & Dietterich, 2019, section 4).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

_TOP = 5


class Change(NamedTuple):
  """From one frame to another, or the mean over the pairs of a sequence."""

  flips: jax.Array  # [] float32: 1 where the prediction differs.
  top5_distance: jax.Array  # [] float32, at most 15.


def change(before: jax.Array, after: jax.Array) -> Change:
  """Between the logits [K] of one frame and another; of equal logits, the first class leads.

  Where one is not finite, everything has changed: a broken model is not a stable one.
  """
  _, leaders = jax.lax.top_k(before, min(_TOP, len(before)))
  found = after[leaders][:, None]
  tied = (after[None] == found) & (jnp.arange(len(after))[None] < leaders[:, None])
  ranks = ((after[None] > found) | tied).sum(axis=1)
  moved = jnp.abs(jnp.arange(len(leaders)) - jnp.minimum(ranks, _TOP)).sum()
  flipped = jnp.argmax(after) != leaders[0]
  finite = jnp.isfinite(before).all() & jnp.isfinite(after).all()
  most = sum(_TOP - place for place in range(len(leaders)))
  return Change(
    jnp.where(finite, flipped, True).astype(jnp.float32),
    jnp.where(finite, moved, most).astype(jnp.float32),
  )


def stability(logits: jax.Array, *, is_noise: bool, difficulty: int = 1) -> Change:
  """Mean changes over the frames of one sequence: its FP and uT5D.

  Args:
    logits: [T, K], of all frames in order.
    is_noise: compares with the first frame, at any difficulty.
    difficulty: how many frames apart others are compared: T - difficulty pairs.
  """
  step = 1 if is_noise else difficulty
  before = jnp.broadcast_to(logits[:1], logits[step:].shape) if is_noise else logits[:-step]
  return jax.tree.map(jnp.mean, jax.vmap(change)(before, logits[step:]))
