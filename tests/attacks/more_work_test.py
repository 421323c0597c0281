"""Law 6: more restarts, steps and queries are never worse."""

import jax
import numpy as np
import pytest
from references import awkward, laws

from jaxbench import attacks, errors
from jaxbench.attacks.parts import losses

RESTARTED = {
  "pgd": lambda n: attacks.pgd(steps=4, restarts=n),
  "pgd, all steps": lambda n: attacks.pgd(steps=4, restarts=n, keep_going=True),
  "pgd, l2, all steps": lambda n: attacks.pgd(steps=4, restarts=n, norm="l2", keep_going=True),
  "apgd": lambda n: attacks.apgd(steps=4, restarts=n),
  "apgd, all steps": lambda n: attacks.apgd(steps=4, restarts=n, keep_going=True),
  "apgd, l1, all steps": lambda n: attacks.apgd(steps=7, norm="l1", restarts=n, keep_going=True),
  "fab": lambda n: attacks.fab(steps=4, targets=0, restarts=n),
  "fab, all steps": lambda n: attacks.fab(steps=4, targets=0, restarts=n, keep_going=True),
  "square": lambda n: attacks.square(queries=20, restarts=n),
}
RADII = {"linf": 3 / 255, "l2": 0.12, "l1": 0.6}


def _loss(tiny, images, labels):
  return np.asarray(jax.vmap(losses.cross_entropy)(tiny(images), labels))


@pytest.mark.usual("fab, all steps")
@pytest.mark.parametrize("name", RESTARTED)
def test_more_restarts_are_never_weaker(name, tiny, examples):
  """Example by example: the runs of the shorter attack are the first ones of the longer."""
  images, labels = (np.concatenate([array] * 4) for array in examples)
  one, five = (RESTARTED[name](count) for count in (1, 5))
  radius = RADII[laws.norm_of(one)]
  few, many = (
    attacks.run(attack, tiny, images, labels, radius, 0, slots=4) for attack in (one, five)
  )
  assert (few.success <= many.success).all()
  assert 0 < few.success.mean() < 1
  if one.minimizes:
    both = few.success & many.success
    assert (many.distance[both] <= few.distance[both] * 1.01).all()
  elif one.keep_going:
    same = few.success == many.success
    weaker = _loss(tiny, many.adversarial, labels) < _loss(tiny, few.adversarial, labels) - 1e-5
    assert not weaker[same].any()
    assert (many.steps == 5 * few.steps).all()


def test_the_strongest_of_all_restarts_is_returned(tiny, examples):
  """Of what survives: in some examples not the last run's, nor the first one's."""
  images, labels = (np.concatenate([array] * 4) for array in examples)
  attack = attacks.pgd(steps=4, keep_going=True, restarts=5)
  result = attacks.run(attack, tiny, images, labels, 1 / 255, 0, slots=4)
  once = attacks.run(
    attacks.pgd(steps=4, keep_going=True), tiny, images, labels, 1 / 255, 0, slots=4
  )
  left = ~result.success
  assert left.sum() > 20
  gains = _loss(tiny, result.adversarial, labels) - _loss(tiny, once.adversarial, labels)
  assert (gains[left] >= -1e-6).all()
  assert (gains[left] > 1e-4).mean() > 0.3


@pytest.mark.slow
def test_the_distance_of_embeddings_is_restarted_too(tiny, examples):
  images, labels = examples
  one, five = (
    attacks.run(
      attacks.pgd(steps=3, loss="distance", restarts=count), tiny, images, labels, 0.01, 0, slots=3
    )
    for count in (1, 5)
  )
  assert (five.steps == 5 * one.steps).all()

  def moved(result):
    return np.square(np.asarray(tiny(result.adversarial) - tiny(images))).sum(axis=1)

  assert (moved(five) >= moved(one) - 1e-6).all()
  assert moved(five).sum() > moved(one).sum()


LONGER = {
  "pgd": (lambda n: attacks.pgd(steps=n), 2, 30),
  "apgd": (lambda n: attacks.apgd(steps=n), 2, 30),
  "mim": (lambda n: attacks.mim(steps=n), 2, 30),
  "fab": (lambda n: attacks.fab(steps=n, targets=2), 2, 30),
  "cw_linf": (lambda n: attacks.cw_linf(steps=n, initial_constant=0.5), 5, 50),
  "fmn": (lambda n: attacks.fmn(steps=n), 3, 60),
  "deepfool": (lambda n: attacks.deepfool(steps=n), 1, 20),
  "square": (lambda n: attacks.square(queries=n), 5, 200),
  "simba": (lambda n: attacks.simba(queries=n, norm="linf", step_size=0.02), 5, 400),
  "nes": (lambda n: attacks.nes(queries=n * 21, pairs=10), 2, 20),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LONGER)
def test_more_steps_leave_no_higher_robust_accuracy(name):
  """On all awkward classifiers together; of attacks whose steps depend on their number, nearly."""
  make, few, many = LONGER[name]
  classifier, (images, labels, _) = awkward.classifier(), awkward.examples()
  short, long = (
    attacks.run(make(count), classifier, images, labels, 8 / 255, 0, slots=8)
    for count in (few, many)
  )
  nested = name in ("square", "simba", "deepfool")
  assert (short.success & ~long.success).mean() <= (0 if nested else 0.02)
  assert long.success.sum() >= short.success.sum()


def test_what_cannot_be_restarted_says_so():
  with pytest.raises(errors.InputError, match="would all be the same"):
    attacks.pgd(restarts=2, random_start=False)
