"""Learning a universal perturbation: against closed forms, restarts and numbers of devices."""

import jax
import numpy as np
import pytest

from jaxbench import devices, errors, universal
from jaxbench.universal import learning

SIDE = 4
# Not at the border.
IMAGES = (0.2 + 0.6 * np.random.default_rng(1).random((24, SIDE, SIDE, 3))).astype(np.float32)


def _linear(seed, outputs=5):
  weights = np.random.default_rng(seed).normal(size=(SIDE * SIDE * 3, outputs)).astype(np.float32)
  return jax.tree_util.Partial(lambda w, x: x.reshape(len(x), -1) @ w, weights)


def _learn(models, **changes):
  asked = {"epsilon": 8 / 255, "step_size": 2 / 255, "steps": 6, "batch": 8, "key": 3} | changes
  return universal.learn(models, IMAGES, **asked)


def test_the_first_signed_step_to_a_target_is_that_of_the_closed_form():
  """Of outputs z = x W the slope of the mean cosine to t is W (t - cos z^) / |z|, summed."""
  model, target = _linear(0), np.random.default_rng(2).normal(size=5).astype(np.float32)
  found = _learn([model], targets=[target], steps=1, batch=24)
  (weights,) = model.args
  start = np.random.default_rng(3).uniform(-8 / 255, 8 / 255, IMAGES.shape[1:])
  outputs = (IMAGES + start).reshape(24, -1) @ weights
  size = np.linalg.norm(outputs, axis=1, keepdims=True)
  unit, wanted = outputs / size, target / np.linalg.norm(target)
  cosine = unit @ wanted
  slope = ((wanted - cosine[:, None] * unit) / size) @ weights.T.astype(np.float64)
  moved = start + np.sign(slope.mean(axis=0)).reshape(SIDE, SIDE, 3) * 2 / 255
  np.testing.assert_allclose(found.delta, moved.clip(-8 / 255, 8 / 255), atol=1e-7)


@pytest.mark.parametrize("optimizer", ["sign", "adam"])
def test_images_lose_their_likeness_within_the_radius(optimizer):
  found = _learn([_linear(0), _linear(1)], optimizer=optimizer, steps=20)
  assert np.abs(found.delta).max() == pytest.approx(8 / 255)
  first = _learn([_linear(0), _linear(1)], optimizer=optimizer, steps=1)
  assert (np.array(found.told["losses"]) < first.told["losses"]).all()
  assert found.told["picks"] == [20, 20]


def test_a_search_goes_on_where_it_was_stopped(tmp_path, monkeypatch):
  models = [_linear(seed) for seed in range(3)]
  asked = {"choose": "ucb(k=2)", "optimizer": "adam", "steps": 12}
  whole = _learn(models, **asked)
  monkeypatch.setattr(learning, "_SAVED_EACH", 5)
  keep = learning._keep

  def killed(*state):
    keep(*state)
    raise KeyboardInterrupt

  with monkeypatch.context() as patched:
    patched.setattr(learning, "_keep", killed)
    with pytest.raises(KeyboardInterrupt):
      _learn(models, **asked, folder=tmp_path)
  again = _learn(models, **asked, folder=tmp_path)
  np.testing.assert_array_equal(again.delta, whole.delta)
  assert again.told == whole.told
  with pytest.raises(errors.InputError, match="a search with other settings"):
    _learn(models, **asked, key=4, folder=tmp_path)


def test_any_number_of_devices_learns_the_same(monkeypatch):
  many = _learn([_linear(0)], optimizer="adam")
  assert devices.mesh().size == 8
  one = jax.sharding.Mesh(np.asarray(jax.devices()[:1]), devices.mesh().axis_names)
  monkeypatch.setattr(devices, "mesh", lambda: one)
  np.testing.assert_allclose(many.delta, _learn([_linear(0)], optimizer="adam").delta, atol=1e-6)


def test_every_model_is_chosen_once_and_then_the_one_that_is_least_fooled():
  choose, counts = universal.UCB(1), np.zeros(3, np.int64)
  losses = np.zeros(3)
  picks = []
  for step in range(12):
    (pick,) = choose(losses, counts, step)
    picks.append(int(pick))
    losses[pick], counts[pick] = (0.1, 0.9, 0.2)[pick], counts[pick] + 1
  assert sorted(picks[:3]) == [0, 1, 2]
  assert counts.argmax() == 1
  # No arm is forgotten: its bonus grows.
  assert counts.min() > 1


@pytest.mark.parametrize(
  ("changes", "message"),
  [
    ({"batch": 9}, "does not divide among 8 devices"),
    ({"batch": 32}, "24 images do not fill a batch of 32"),
    ({"targets": []}, "0 targets for 1 models"),
    ({"choose": "ucb(k=2)"}, "k=2 models of 1"),
    ({"choose": "best"}, "unknown choice of models 'best'"),
    ({"optimizer": "sgd"}, "unknown optimizer 'sgd'"),
  ],
)
def test_what_cannot_be_learnt_is_told(changes, message):
  with pytest.raises(errors.InputError, match=message):
    _learn([_linear(0)], **changes)
