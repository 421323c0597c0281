"""APGD step by step against torch, from the same random starts."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from references import attacks as reference

from jaxbench import attacks, errors
from jaxbench.attacks.apgd import checkpoints
from jaxbench.attacks.engine import slots
from jaxbench.attacks.parts import losses

STEPS = 40
RADII = {"linf": 3 / 255, "l2": 0.15, "l1": 0.4}  # Not all are fooled.
LOSSES = {
  "cross_entropy": reference.cross_entropy,
  "margin": reference.margin,
  "dlr": reference.dlr,
}


def _torch(tiny):
  first, second = (torch.tensor(np.asarray(weight), dtype=torch.float32) for weight in tiny.args[0])

  def forward(images):
    hidden = np.sqrt(0.5) * torch.nn.functional.gelu(
      images.flatten(1) @ first - 1, approximate="tanh"
    )
    return hidden @ second

  return forward


def _iterates(attack, tiny, images, labels, radius, steps, point="image"):
  """What each step looks at, fooled or not, [T, B, H, W, 3]."""
  radii = jnp.full(len(images), radius, jnp.float32)
  state = jax.vmap(attack.init)(
    attacks.Example(jax.random.split(jax.random.key(0), len(images)), images, labels, radii)
  )
  step = jax.jit(jax.vmap(attack.step, (None, 0)))
  seen = []
  for _ in range(steps):
    seen.append(np.asarray(getattr(state, point)))
    state = step(tiny, state)
  return np.stack(seen)


@pytest.mark.parametrize(
  ("steps", "expected"),
  [
    (100, (22, 41, 57, 70, 80, 87, 93, 99)),
    (50, (11, 21, 30, 38, 45)),
    (10, tuple(range(2, 11))),
    (200, (44, 82, 114, 140, 160, 174, 186, 198)),
  ],
)
def test_checkpoints_are_those_of_the_authors_code(steps, expected):
  assert tuple(checkpoints(steps)) == expected


@pytest.mark.usual("*-official")
@pytest.mark.parametrize("compat", ["clean", "official"])
@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("loss", LOSSES)
def test_each_step_equals_torch(loss, norm, compat, tiny, examples):
  """All 40 steps, with their momentum, halvings and returns to the best point.

  Signs of gradients that are nearly zero differ between libraries, so a few pixels may part.
  """
  images, labels = examples
  attack = attacks.apgd(steps=STEPS, norm=norm, loss=loss, compat=compat, keep_going=True)
  radius = RADII[norm]
  ours = _iterates(attack, tiny, images, labels, radius, STEPS + 1)
  seen = reference.apgd(
    _torch(tiny),
    torch.tensor(images),
    torch.tensor(labels).long(),
    radius,
    torch.tensor(ours[0]),
    LOSSES[loss],
    norm=norm,
    steps=STEPS,
    official=compat == "official",
  )
  _assert_same_path(ours, [(x, logits) for x, logits in seen], labels)
  assert np.abs(ours[-1] - ours[0]).max() > radius / 4


def _assert_same_path(ours, theirs, labels):
  """At every step until an example is fooled; then DLR may have no gradient but rounding."""
  right = np.stack([logits.numpy().argmax(axis=1) == labels for _, logits in theirs])
  compared = np.logical_and.accumulate(right, axis=0)  # [T, B]
  agree = np.abs(ours - np.stack([x.numpy() for x, _ in theirs])) < 1e-4
  shares = agree.mean(axis=(2, 3, 4))
  assert compared[-1].sum() > 3
  assert shares[:8][compared[:8]].min() > 0.98
  assert shares[-1][compared[-1]].mean() > 0.8


def test_each_step_in_l1_equals_torch(tiny, examples):
  images, labels = examples
  attack = attacks.apgd(steps=STEPS, norm="l1", keep_going=True)
  ours = _iterates(attack, tiny, images, labels, RADII["l1"], STEPS + 3, "point")
  seen = reference.apgd_l1(
    _torch(tiny),
    torch.tensor(images),
    torch.tensor(labels).long(),
    RADII["l1"],
    torch.tensor(ours[0]),
    reference.cross_entropy,
    steps=STEPS,
  )
  _assert_same_path(ours, [(x, logits) for x, logits, _ in seen], labels)


@pytest.mark.parametrize("name", [*LOSSES, "targeted"])
def test_losses_and_their_gradients_equal_torch(name):
  draw = np.random.default_rng(0)
  logits = draw.normal(size=(64, 10)).astype(np.float32)
  labels, targets = np.argsort(draw.random((64, 10)), axis=1)[:, :2].T.astype(np.int32)
  theirs = torch.tensor(logits, requires_grad=True)
  loss = LOSSES.get(name) or reference.targeted_dlr(torch.tensor(targets).long())
  values = loss(theirs, torch.tensor(labels).long())
  values.sum().backward()
  if name == "targeted":
    ours = jax.vmap(jax.value_and_grad(losses.targeted_dlr))(logits, labels, targets)
  else:
    ours = jax.vmap(jax.value_and_grad(losses.get(name)))(logits, labels)
  np.testing.assert_allclose(ours[0], values.detach(), rtol=1e-5, atol=1e-6)
  np.testing.assert_allclose(ours[1], theirs.grad, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("classes", [2, 3])
def test_few_classes_take_a_substitute_and_say_so(classes, tiny, examples):
  images, _ = examples
  weights = [tiny.args[0][0], tiny.args[0][1][:, :classes]]
  few = jax.tree_util.Partial(tiny.func, weights)
  labels = np.asarray(few(images).argmax(axis=1), np.int32)
  aa = attacks.autoattack(attacks=("apgd-t", "fab-t"), steps=5)
  result = attacks.run(aa, few, images, labels, 0.05, jax.random.key(0), slots=1)
  assert result.success.any()
  names = [warning.name for warning in result.warnings]
  assert "few_classes" in names
  assert "fewer_targets" in names


@pytest.mark.slow
def test_a_randomised_classifier_is_averaged(tiny, examples):
  images, labels = examples

  def noisy(weights, images, key):
    return tiny.func(weights, images + 0.02 * jax.random.normal(key, images.shape))

  classifier = jax.tree_util.Partial(noisy, tiny.args[0])
  rand = attacks.autoattack(version="rand", steps=5)
  result = attacks.run(rand, classifier, images, labels, 0.05, jax.random.key(0), slots=1)
  assert result.success.mean() > 0.5
  assert (result.backwards[result.steps > 0] >= 20).all()


@pytest.mark.slow
def test_states_are_frozen_where_they_are_done(tiny, examples):
  images, labels = examples
  attack = attacks.apgd(steps=3)
  keys = jax.random.split(jax.random.key(0), len(images))
  state = jax.vmap(attack.init)(attacks.Example(keys, images, labels, jnp.full(len(images), 0.03)))
  for _ in range(attack.steps):
    state = slots.where(state.progress.done, state, jax.vmap(attack.step, (None, 0))(tiny, state))
  assert state.progress.done.all()
  fooled = np.asarray(tiny(state.image)).argmax(axis=1) != labels
  np.testing.assert_array_equal(state.progress.fooled, fooled)


@pytest.mark.parametrize(
  "arguments",
  [{"steps": 0}, {"targets": -1}, {"loss": "mse"}, {"compat": "old"}, {"norm": "l0"}, {"draws": 0}],
)
def test_bad_arguments_are_errors(arguments):
  with pytest.raises(errors.InputError):
    attacks.apgd(**arguments)
