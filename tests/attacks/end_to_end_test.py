"""Robust accuracy of the embedded models, against the torch attacks on the same weights."""

import itertools

import jax
import numpy as np
import pytest
import torch
from references import attacks as reference
from references import towers
from scipy import stats

from jaxbench import attacks, data, models

EPSILON = {"digits-clip": 3 / 255, "digits-clip-robust": 12 / 255}
PARTS = ("apgd-ce", "apgd-t", "fab-t", "square")
SETTINGS = {"steps": 10, "targets": 3, "queries": 60}
COUNT = 80


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


def _case(name, part):
  quick = part == "apgd-ce" or name == "digits-clip-robust"
  return pytest.param(name, part, marks=() if quick else pytest.mark.slow)


@pytest.mark.parametrize(
  ("subject", "part"),
  [_case(*pair) for pair in itertools.product(EPSILON, PARTS)],
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
  only_ours, only_theirs = (result.success & robust).sum(), (~result.success & ~robust).sum()
  assert 0.03 < robust.mean() < 0.97
  if part != "square":  # Random search is more a matter of chance.
    assert abs(int(only_ours) - int(only_theirs)) <= 0.02 * COUNT
  if only_ours + only_theirs:  # Exact McNemar, one-sided: ours may not be the weaker one.
    test = stats.binomtest(int(only_theirs), int(only_ours + only_theirs), alternative="greater")
    assert test.pvalue > 0.05
