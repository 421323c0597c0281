"""Square Attack (Andriushchenko et al., 2020, arXiv:1912.00049): random search, no gradients.

Squares of the image are pushed to the border of the ball, smaller ones as time goes on; what makes
the margin larger stays.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from jaxbench import errors, threefry
from jaxbench.attacks.base import Attack, Classifier, Example, Progress, logits_of
from jaxbench.attacks.parts import losses, norms, square_windows

# From so many queries of 10,000 on, the share of pixels is halved once more.
_HALVINGS = (11, 51, 201, 501, 1001, 2001, 4001, 6001, 8001)


@struct.dataclass
class SquareState:
  """One example."""

  example: Example  # In one run.
  windows: jax.Array  # PRNG key of the windows: the example's, or one for all.
  image: jax.Array  # [H, W, 3] float32: the best so far.
  candidate: jax.Array  # [H, W, 3] float32: what the next step queries.
  loss: jax.Array  # [] float32: the margin of `image`.
  progress: Progress

  @property
  def strength(self) -> jax.Array:
    """The margin."""
    return self.loss


@functools.cache
def square(
  *,
  queries: int = 5000,
  norm: str = "linf",
  share: float = 0.8,
  restarts: int = 1,
  rescale: bool = False,
  compat: str = "clean",
) -> Attack:
  """Random search over squares; it stops at the first image that fools.

  Args:
    queries: candidates after the first one, a forward pass each.
    norm: "linf", "l2" or "l1".
    share: of the pixels that the first squares cover (p_init in the paper).
    restarts: runs with other random numbers.
    rescale: stretch the schedule of sizes, which is made for 10,000 queries, to their number.
      AutoAttack does not.
    compat: "clean" draws every example's windows by themselves; "official" draws the same ones
      for all examples, as the authors' code does for a batch.

  Raises:
    InputError: a value is out of range or a name unknown.
  """
  if queries < 1 or restarts < 1 or not 0 < share <= 1:
    raise errors.InputError(
      f"square needs queries, restarts >= 1 and share in (0, 1], not {queries}, {restarts}, {share}"
    )
  if compat not in ("clean", "official"):
    raise errors.unknown("compat", compat, ("clean", "official"))
  ball, draw = norms.get(norm), square_windows.get(norm)
  age = np.arange(queries + 1)
  age = age * 10_000 // queries if rescale else age
  shares = (share / 2.0 ** np.searchsorted(_HALVINGS, age, side="right")).astype(np.float32)

  def init(example: Example, run: jax.Array | int = 0) -> SquareState:
    example = example.fold_in(run)
    clean, epsilon = example.clean, example.epsilon
    windows = jax.random.fold_in(threefry.key(0), run) if compat == "official" else example.key
    start = example.kept(draw.start(windows, example.key, clean, epsilon))
    start = ball.project(clean, start, epsilon)
    return SquareState(
      example=example,
      windows=windows,
      image=clean,
      candidate=start,
      loss=jnp.float32(-jnp.inf),
      progress=Progress.begin(),
    )

  def step(classifier: Classifier, state: SquareState) -> SquareState:
    example, count = state.example, state.progress.count
    logits = logits_of(classifier, state.candidate)
    value, fooled = losses.margin(logits, example.label), losses.fooled(logits, example.label)
    better = (count == 0) | (value > state.loss) | fooled
    image = jnp.where(better, state.candidate, state.image)
    keys = (jax.random.fold_in(key, count + 1) for key in (state.windows, example.key))
    pixels = jnp.asarray(shares)[jnp.minimum(count, queries)] * image[..., 0].size
    candidate = draw.propose(*keys, example.clean, image, example.epsilon, pixels)
    candidate = example.kept(candidate)
    return dataclasses.replace(
      state,
      image=image,
      candidate=ball.project(example.clean, candidate, example.epsilon),
      loss=jnp.where(better, value, state.loss),
      progress=Progress(count + 1, fooled, done=fooled | (count >= queries)),
    )

  return Attack(init, step, ball, queries + 1, forwards=1, backwards=0, runs=restarts)
