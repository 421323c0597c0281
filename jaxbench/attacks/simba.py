"""SimBA, the simple black-box attack (Guo et al., 2019, arXiv:1905.07121).

It goes through the vectors of an orthonormal basis in random order: one step back, else one step
forth, and what makes the loss larger stays.
"""

import dataclasses
import functools
import math

import jax
import jax.numpy as jnp
from flax import struct

from jaxbench import errors
from jaxbench.attacks.base import Attack, Classifier, Example, Progress, logits_of
from jaxbench.attacks.parts import losses, norms

_BASES = ("pixel", "dct")


@struct.dataclass
class SimBAState:
  """One example."""

  example: Example
  order: jax.Array  # [D] int32: the vectors of the basis, shuffled.
  image: jax.Array  # [H, W, 3] float32: the best so far.
  candidate: jax.Array  # [H, W, 3] float32: what the next step queries.
  loss: jax.Array  # [] float32, of `image`.
  turn: jax.Array  # [] int32: twice the place in `order`, plus one on the way forth.
  progress: Progress


@functools.cache
def simba(
  *,
  queries: int = 10_000,
  basis: str = "pixel",
  norm: str = "l2",
  loss: str | losses.Loss = "margin",
  step_size: float = 0.2,
  share: float = 1 / 8,
) -> Attack:
  """Coordinate search with one query a step; it stops at the first image that fools.

  A candidate outside the ball is projected onto it, so that the search goes on at its border. After
  the last vector the first one has its turn again.

  Args:
    queries: forward passes; the first is of the image itself.
    basis: "pixel" moves one channel of one pixel, "dct" one frequency of one channel.
    norm: "linf", "l2" or "l1".
    loss: "margin", "dlr", a function (logits [K], label []) -> [], or "cross_entropy", whose order
      is that of the label's probability, as in the paper. That order is lost where the model is
      very sure.
    step_size: along one vector, of 2-norm 1, in pixel units.
    share: of each dimension's frequencies, the lowest, that "dct" takes.

  Raises:
    InputError: a value is out of range or a name unknown.
  """
  if queries < 2 or step_size <= 0 or not 0 < share <= 1:
    raise errors.InputError(
      "simba needs queries >= 2, step_size > 0 and share in (0, 1], not "
      f"{queries}, {step_size}, {share}"
    )
  if basis not in _BASES:
    raise errors.unknown("basis", basis, _BASES)
  ball, value_of = norms.get(norm), losses.get(loss)

  def spans(image: jax.Array) -> tuple[int, ...]:
    """How many vectors the basis has, by row, column and channel."""
    if basis == "pixel":
      return image.shape
    height, width, channels = image.shape
    return max(int(share * height), 1), max(int(share * width), 1), channels

  def vector(image: jax.Array, index: jax.Array) -> jax.Array:
    """One vector of the basis, [H, W, 3]."""
    row, column, channel = jnp.unravel_index(index, spans(image))
    if basis == "pixel":
      return jnp.zeros_like(image).at[row, column, channel].set(1.0)
    height, width, channels = image.shape
    plane = jnp.outer(_wave(height, row), _wave(width, column))
    return plane[:, :, None] * jax.nn.one_hot(channel, channels)[None, None, :]

  def init(example: Example, run: jax.Array | int = 0) -> SimBAState:
    size = math.prod(spans(example.clean))
    return SimBAState(
      example=example,
      order=jax.random.permutation(example.key, size).astype(jnp.int32),
      image=example.clean,
      candidate=example.clean,
      loss=jnp.float32(-jnp.inf),
      turn=jnp.int32(-1),
      progress=Progress.begin(),
    )

  def step(classifier: Classifier, state: SimBAState) -> SimBAState:
    example = state.example
    logits = logits_of(classifier, state.candidate)
    value, fooled = value_of(logits, example.label), losses.fooled(logits, example.label)
    better = (state.progress.count == 0) | (value > state.loss) | fooled
    image = jnp.where(better, state.candidate, state.image)
    back = state.turn % 2 == 0
    turn = state.turn + jnp.where(better & back, 2, 1)  # No step forth where one back is better.
    index = state.order[turn // 2 % len(state.order)]
    move = jnp.where(turn % 2 == 0, -step_size, step_size) * vector(image, index)
    count = state.progress.count + 1
    return dataclasses.replace(
      state,
      image=image,
      candidate=ball.project(example.clean, image + move, example.epsilon),
      loss=jnp.where(better, value, state.loss),
      turn=turn,
      progress=Progress(count, fooled, done=fooled | (count >= queries)),
    )

  return Attack(init, step, ball, queries, forwards=1, backwards=0, classes=2 + (loss == "dlr"))


def _wave(size: int, frequency: jax.Array) -> jax.Array:
  """A vector of the orthonormal DCT-II, [size]."""
  middles = jnp.arange(size, dtype=jnp.float32) + 0.5
  scale = jnp.where(frequency == 0, jnp.sqrt(1 / size), jnp.sqrt(2 / size))
  return scale * jnp.cos(jnp.pi * middles * frequency.astype(jnp.float32) / size)
