"""Robust accuracy of the embedded models, against the torch attacks on the same weights."""

import itertools

import jax
import numpy as np
import pytest
import torch
from references import attacks as reference
from references import minnorm, towers
from scipy import stats

from jaxbench import attacks, data, models

EPSILON = {"digits-clip": 3 / 255, "digits-clip-robust": 12 / 255}
PARTS = ("apgd-ce", "apgd-t", "fab-t", "square")
SETTINGS = {"steps": 10, "targets": 3, "queries": 60}
COUNT = 80
MINIMIZING = {
  "deepfool": (attacks.deepfool(steps=10), minnorm.deepfool, {"steps": 10}),
  "ddn": (attacks.ddn(steps=20, keep_going=True), minnorm.ddn, {"steps": 20}),
  "fmn": (attacks.fmn(steps=20, keep_going=True), minnorm.fmn, {"steps": 20}),
  "ead": (
    attacks.ead(steps=20, searches=1, initial_constant=30.0, rule="l1", keep_going=True),
    minnorm.ead,
    {"steps": 20, "constant": 30.0},
  ),
}


@pytest.fixture(scope="module")
def subject(request, scans):
  """Ours, theirs with the same weights, images, labels and epsilon."""
  clip = models.load(request.param)
  ours = models.zero_shot(clip, data.load("digits").class_names, models.templates("simple"))
  theirs = towers.Classifier(ours, clip.config)
  images, labels = (array[:COUNT] for array in scans)
  with torch.no_grad():
    logits = theirs(torch.tensor(images))
  np.testing.assert_allclose(logits, jax.jit(lambda c, x: c(x))(ours, images), atol=2e-3)
  return ours, theirs, images, labels, EPSILON[request.param]


@pytest.mark.usual("digits-clip-robust-apgd-t")
@pytest.mark.parametrize(
  ("subject", "part"),
  list(itertools.product(EPSILON, PARTS)),
  indirect=["subject"],
)
def test_an_attack_finds_as_much_as_in_torch(subject, part):
  ours, theirs, images, labels, epsilon = subject
  classes, draw = torch.tensor(labels).long(), torch.Generator().manual_seed(0)
  left, _ = reference.autoattack_linf(
    theirs, torch.tensor(images), classes, epsilon, draw, **SETTINGS, parts=(part,)
  )
  robust = left[part].numpy()
  attack = attacks.autoattack(attacks=(part,), **SETTINGS)
  result = attacks.run(attack, ours, images, labels, epsilon, jax.random.key(0), slots=2)
  # Random search is more a matter of chance.
  _assert_as_strong(result.success, ~robust, most=COUNT if part == "square" else 0.02 * COUNT)


@pytest.mark.slow
@pytest.mark.parametrize("subject", ["digits-clip-robust"], indirect=True)
@pytest.mark.parametrize("name", MINIMIZING)
def test_minimizing_attacks_find_as_near_as_torch(subject, name):
  """At the radius that fools half of the scans."""
  attack, loop, options = MINIMIZING[name]
  ours, theirs, images, labels, _ = subject
  clean, classes = torch.tensor(images), torch.tensor(labels).long()
  seen = loop(theirs, clean, classes, **options)
  nearest = minnorm.smallest(seen, clean, classes, attacks.norm_name(attack.norm)).numpy()
  radius = np.median(nearest)
  assert np.isfinite(radius)
  smallest = attacks.minimal_epsilon(
    attack, ours, images, labels, 1e3, key=jax.random.key(0), slots=2
  )
  _assert_as_strong(smallest.epsilon < radius, nearest < radius, most=0.02 * COUNT)
  np.testing.assert_allclose(np.median(smallest.epsilon), radius, rtol=0.01)


def _assert_as_strong(ours, theirs, most):
  """They differ by `most`; by exact McNemar, one-sided, ours may not be the weaker one."""
  only_ours, only_theirs = int((ours & ~theirs).sum()), int((~ours & theirs).sum())
  assert 0.02 < theirs.mean() < 0.98
  assert abs(only_ours - only_theirs) <= most
  if only_ours + only_theirs:
    test = stats.binomtest(only_theirs, only_ours + only_theirs, alternative="greater")
    assert test.pvalue > 0.05
