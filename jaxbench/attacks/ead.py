"""EAD, elastic-net attacks (Chen et al., 2018, arXiv:1709.04114): small in l1 and l2 at once.

Proximal gradient steps with momentum (FISTA) minimise the margin plus the squared l2 distance; each
takes a constant amount off every coordinate's change, so that small changes vanish.
"""

import dataclasses
import functools
from typing import Annotated

import jax
import jax.numpy as jnp
from flax import struct

from jaxbench import errors, spec
from jaxbench.attacks.base import Attack, Classifier, Example, Progress
from jaxbench.attacks.parts import best, losses, norms, randomised, tradeoff

_RULES = ("en", "l1")


@struct.dataclass
class EADState:
  """One example."""

  example: Example
  image: jax.Array  # [H, W, 3] float32: inside the ball, the cheapest that fools; else clean.
  point: jax.Array  # [H, W, 3] float32 in [0, 1]: the search, not bound to the ball.
  ahead: jax.Array  # [H, W, 3] float32: where its momentum leads, not bound to the box either.
  constant: tradeoff.Constant  # The weight of the margin.
  cost: jax.Array  # [] float32: of `image`, by the rule; infinite before something fools.
  progress: Progress


@functools.cache
def ead(
  *,
  steps: int = 10_000,
  searches: int = 9,
  learning_rate: float = 0.01,
  confidence: float = 0.0,
  initial_constant: float = 1e-3,
  regularization: float = 0.01,
  rule: str = "en",
  keep_going: bool = False,
  draws: Annotated[int, spec.LATER] = 1,
) -> Attack:
  """Minimises constant times margin plus squared l2 distance plus regularization times l1 distance.

  The ball is that of l1. It stops at the first image inside it that fools. A search ends early, by
  itself, where a tenth of its steps has not lowered the objective.

  Args:
    steps: the most for one constant.
    searches: constants tried: ten times larger until one fools, then halfway between.
    learning_rate: length of the first step; it falls with the root of the steps left.
    confidence: by how much the margin is to be passed.
    initial_constant: the first one.
    regularization: the weight of the l1 distance (beta in the paper).
    rule: what makes an image the best of those that fool: "en", the elastic net of both
      distances, or "l1".
    keep_going: take all steps and return the best image found, as `attacks.minimal_epsilon` asks
      for.
    draws: as for `pgd`.

  Raises:
    InputError: a value is out of range or a name unknown.
  """
  if min(steps, searches) < 1 or min(learning_rate, initial_constant) <= 0:
    raise errors.InputError("ead needs steps, searches >= 1, learning_rate, initial_constant > 0")
  if min(confidence, regularization) < 0:
    raise errors.InputError("ead needs confidence, regularization >= 0")
  if rule not in _RULES:
    raise errors.unknown("rule", rule, _RULES)
  randomised.check("ead", draws)
  ball = norms.get("l1")

  def init(example: Example, run: jax.Array | int = 0) -> EADState:
    return EADState(
      example=example,
      image=example.clean,
      point=example.clean,
      ahead=example.clean,
      constant=tradeoff.begin(initial_constant),
      cost=jnp.float32(jnp.inf),
      progress=Progress.begin(),
    )

  def descend(classifier: Classifier, state: EADState) -> tuple[EADState, jax.Array, jax.Array]:
    """One step of FISTA; where it arrives is kept if it is the best."""
    clean, label = state.example.clean, state.example.label

    key = state.example.fold_in(state.progress.count).key
    missing_of = randomised.loss_fn(
      lambda logits: jnp.maximum(confidence - losses.margin(logits, label), 0.0),
      classifier,
      key,
      draws,
    )

    def objective(image: jax.Array) -> jax.Array:
      missing, _ = missing_of(image)
      return jnp.square(image - clean).sum() + state.constant.value * missing

    value, slope = jax.value_and_grad(objective)(state.ahead)
    age = state.constant.steps.astype(jnp.float32)
    change = state.ahead - learning_rate * jnp.sqrt(1 - age / steps) * slope - clean
    shrunk = jnp.sign(change) * jnp.maximum(jnp.abs(change) - regularization, 0.0)
    point = jnp.clip(clean + shrunk, 0.0, 1.0)
    logits = randomised.logits_fn(classifier, key, draws)(point)
    sure = losses.margin(logits, label) >= confidence
    across = losses.fooled(logits, label) & sure
    size = best.cost(ball, state.example, point, logits)
    squared = jnp.square(point - clean).sum()
    cost = size if rule == "l1" else regularization * size + squared
    inside = ball.size(point - clean) <= state.example.epsilon
    better = across & inside & (cost < state.cost)
    fooled = state.progress.fooled | better
    state = dataclasses.replace(
      state,
      image=jnp.where(better, point, state.image),
      point=point,
      ahead=point + age / (age + 3) * (point - state.point),
      cost=jnp.where(better, cost, state.cost),
      progress=dataclasses.replace(state.progress, fooled=fooled),
    )
    return state, across, value

  def restart(state: EADState) -> EADState:
    return dataclasses.replace(state, point=state.example.clean, ahead=state.example.clean)

  step = tradeoff.search(descend, restart, steps, searches, keep_going)
  return Attack(
    init,
    step,
    ball,
    steps * searches,
    forwards=2 * draws,
    backwards=draws,
    minimizes=keep_going,
    draws=draws,
  )
