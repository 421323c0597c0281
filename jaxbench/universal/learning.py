"""Learns a universal perturbation on image encoders, or on classifiers.

The setting of X-Transfer (Huang et al., 2025, arXiv:2505.05528): signed steps on the mean loss of
several models, chosen at each step by an upper confidence bound (UCB) or all of them. The
authors' code has no learner; UCB's constants are as the paper's readers report them.
"""

import functools
import io
import json
import math
import pathlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxbench import devices, errors, spec
from jaxbench.storage import atomic
from jaxbench.universal.perturbation import LINF, Universal, apply

Model = Callable[[jax.Array], jax.Array]  # A pytree: images [B, H, W, 3] in [0, 1] -> [B, D].
_FILE = "search.npz"
_SAVED_EACH = 100  # Steps.


class UCB(NamedTuple):
  """At each step the `k` models of the largest score: those that are least fooled, or long unseen.

  The score of model i at step t is the decayed mean of its losses + sqrt(ln t / n_i), where it has
  been chosen n_i times; each is chosen once first.
  """

  k: int = 4
  decay: float = 0.9

  @classmethod
  def of(cls, *, k: int = 4, decay: float = 0.9) -> "UCB":
    """As a spec writes it."""
    return cls(k, decay)

  def __call__(self, losses: np.ndarray, counts: np.ndarray, step: int) -> np.ndarray:
    """Sorted places [k] among models with decayed losses [M] float64 and counts [M] int64."""
    bonus = np.sqrt(math.log(step + 1) / np.maximum(counts, 1))
    scores = np.where(counts == 0, np.inf, losses + bonus)
    return np.sort(np.argsort(-scores, kind="stable")[: self.k])


def learn(
  models: Sequence[Model],
  images: np.ndarray,
  *,
  epsilon: float = 12 / 255,
  optimizer: str = "sign",
  step_size: float = 0.5 / 255,
  steps: int = 1000,
  batch: int = 64,
  key: int = 0,
  targets: Sequence[jax.Array] | None = None,
  choose: str = "all",
  folder: pathlib.Path | None = None,
) -> Universal:
  """Learns one perturbation for all images and models.

  Without targets the mean cosine between a model's outputs of an image with and without it falls;
  with a target [D] for each model, as its embedding of a text, the mean cosine to it rises. The
  same batches are drawn whatever the number of devices; a search that was stopped goes on.

  Args:
    models: pytree callables, as `models.load(...).visual` is one.
    images: [N, S, S, 3] uint8, or float32 in [0, 1]: at the size that it is learnt for.
    epsilon: radius of linf, in [0, 1] pixel units.
    optimizer: "sign" of the slope, or "adam".
    step_size: its learning rate, in pixel units.
    steps: how many.
    batch: images of a step, on all devices together; a multiple of their number.
    key: of the first perturbation, uniform within the radius, and of the order of the images.
    targets: what outputs are to become like.
    choose: which models a step is made on: "all", or "ucb(k=4)", see `UCB`.
    folder: where the search is kept, to go on with it.

  Raises:
    InputError: a name is unknown, the batch does not divide among devices, there are fewer images,
      or the folder has a search of other settings.
  """
  some = spec.build(spec.resolve(choose, {"all": _all, "ucb": UCB.of}, "choice of models"))
  _require(models, images, batch, targets, some)
  rule = _rule(optimizer)(step_size)
  move = _mover(rule, epsilon)
  told = {
    "optimizer": optimizer,
    "step_size": step_size,
    "steps": steps,
    "batch": batch,
    "key": key,
    "choose": choose,
    "loss": "cosine" if targets is None else "target",
  }
  place = None if folder is None else folder / _FILE
  # Of no change at all the likeness is largest: its slope is what rounding leaves.
  start = np.random.default_rng(key).uniform(-epsilon, epsilon, images.shape[1:])
  delta = jnp.asarray(start, jnp.float32)
  count = len(models)
  state = _State(
    delta, rule.init(delta), np.zeros(count), np.zeros(count, np.int64), np.zeros((), np.int64)
  )
  settings = json.dumps({**told, "epsilon": epsilon, "models": count, "images": images.shape})
  state = _resumed(place, state, settings)
  replicas = [devices.replicate(model).tree() for model in models]
  wanted = [None] * count if targets is None else [jnp.asarray(each) for each in targets]
  for step in range(int(state.step), steps):
    shown = devices.scatter(images[_rows(len(images), batch, key, step)])
    chosen = np.arange(count) if some is None else some(state.losses, state.counts, step)
    found = [_slope()(replicas[i], state.delta, shown, wanted[i]) for i in chosen]
    slope = jnp.mean(jnp.stack([each for _, each in found]), axis=0)
    losses, counts = state.losses.copy(), state.counts.copy()
    for i, loss in zip(chosen, jax.device_get([loss for loss, _ in found]), strict=True):
      old = some.decay if some and counts[i] else 0.0
      losses[i] = old * losses[i] + (1 - old) * float(loss)
      counts[i] += 1
    delta, memory = move(slope, state.memory, state.delta)
    state = _State(delta, memory, losses, counts, np.asarray(step + 1))
    if place and ((step + 1) % _SAVED_EACH == 0 or step + 1 == steps):
      _keep(place, state, settings)
  told |= {"losses": state.losses.tolist(), "picks": state.counts.tolist()}
  return Universal(jnp.asarray(jax.device_get(state.delta)), None, epsilon, LINF, told)


class _State(NamedTuple):
  """Of a search."""

  delta: jax.Array  # [S, S, 3] float32.
  memory: Any  # Of the optimizer.
  losses: np.ndarray  # [M] float64, decayed.
  counts: np.ndarray  # [M] int64.
  step: np.ndarray  # [] int64.


def _resumed(place: pathlib.Path | None, state: _State, settings: str) -> _State:
  """The state that is kept, if one is; raises InputError if it is of other settings."""
  content = atomic.read(place) if place else None
  if content is None:
    return state
  kept = np.load(io.BytesIO(content), allow_pickle=False)
  if str(kept["settings"]) != settings:
    raise errors.InputError(f"{place} is a search with other settings; name another folder")
  leaves, structure = jax.tree.flatten(state)
  return jax.tree.unflatten(structure, [kept[f"arr_{row}"] for row in range(len(leaves))])


def _keep(place: pathlib.Path, state: _State, settings: str) -> None:
  content = io.BytesIO()
  np.savez(content, *map(np.asarray, jax.tree.leaves(state)), settings=np.asarray(settings))
  place.parent.mkdir(parents=True, exist_ok=True)
  atomic.write(place, content.getvalue())


def _rule(name: str) -> Callable[[float], optax.GradientTransformation]:
  rules = {"sign": optax.sign_sgd, "adam": optax.adam}
  if name not in rules:
    raise errors.unknown("optimizer", name, rules)
  return rules[name]


def _mover(rule: optax.GradientTransformation, epsilon: float) -> Callable[..., Any]:
  """A program (slope, memory, delta) -> delta within the radius, memory."""

  def step(slope: jax.Array, memory: Any, delta: jax.Array) -> tuple[jax.Array, Any]:
    with jax.numpy_dtype_promotion("standard"):  # As optax counts its steps.
      change, memory = rule.update(slope, memory, delta)
    return jnp.clip(delta + change, -epsilon, epsilon), memory

  return jax.jit(step)


def _all() -> None:
  return None


def _require(
  models: Sequence[Model],
  images: np.ndarray,
  batch: int,
  targets: Sequence[Any] | None,
  choose: UCB | None,
) -> None:
  count = devices.mesh().size
  if not models:
    raise errors.InputError("name at least one model to learn on")
  if batch % count:
    raise errors.InputError(f"a batch of {batch} images does not divide among {count} devices")
  if len(images) < batch:
    raise errors.InputError(f"{len(images)} images do not fill a batch of {batch}")
  if targets is not None and len(targets) != len(models):
    raise errors.InputError(f"{len(targets)} targets for {len(models)} models")
  if choose is not None and not 1 <= choose.k <= len(models):
    raise errors.InputError(f"k={choose.k} models of {len(models)} cannot be chosen")


def _rows(count: int, batch: int, key: int, step: int) -> np.ndarray:
  """Places [batch] of the images of a step: an epoch is a permutation, whose rest is left."""
  each = count // batch
  order = np.random.default_rng((key, step // each)).permutation(count)
  return order[(step % each) * batch :][:batch]


@functools.cache
def _slope() -> Callable[..., Any]:
  """A program (model, delta [S, S, 3], images [B, S, S, 3], target [D]) -> loss [], slope of delta.

  The images lie on all devices; what is returned, on each.
  """

  def loss(delta: jax.Array, model: Model, images: jax.Array, target: jax.Array | None) -> Any:
    clean = images.astype(jnp.float32) / 255 if images.dtype == jnp.uint8 else images
    # The radius is kept after each step.
    shown = apply(Universal(delta, None, None, LINF, {}), clean)
    outputs = _unit(model(shown))
    if target is not None:
      return -(outputs @ _unit(target)).mean()
    return (outputs * _unit(jax.lax.stop_gradient(model(clean)))).sum(axis=-1).mean()

  def program(model: Model, delta: jax.Array, images: jax.Array, target: jax.Array | None) -> Any:
    with jax.default_matmul_precision("highest"):
      return jax.value_and_grad(loss)(delta, model, images, target)

  return jax.jit(program, compiler_options=devices.compiler_options())


def _unit(vectors: jax.Array) -> jax.Array:
  vectors = vectors.astype(jnp.float32)
  return vectors / jnp.linalg.norm(vectors, axis=-1, keepdims=True)
