"""The laws of every result: all attacks on thirty classifiers that nobody tuned for."""

import numpy as np
import pytest
from references import awkward, laws
from references.table import KINDS, TABLE

from jaxbench import attacks

RADII = {"linf": 8 / 255, "l2": 0.4, "l1": 0.9}  # Too little to change the code of an image.
SLOTS = 8


def _radius(attack):
  return RADII[laws.norm_of(attack)]


KINDS_OF_NUMBERS = ("float", "8 bits")
both = pytest.mark.parametrize("quantize", [False, True], ids=KINDS_OF_NUMBERS)


def _in_turn(first, rows):
  """These rows, in floats or in 8 bits by turns, are usual."""
  places = {row: place for place, row in enumerate(TABLE)}
  names = (f"{row}-{KINDS_OF_NUMBERS[(places[row] + first) % 2]}" for row in rows)
  return pytest.mark.usual(*names)


@_in_turn(0, KINDS)
@both
@pytest.mark.parametrize("row", TABLE)
def test_of_an_attack(row, quantize):
  attack, classifier, (images, labels, _) = TABLE[row], awkward.classifier(), awkward.examples()
  radius = _radius(attack)
  result = attacks.run(
    attack, classifier, images, labels, radius, 0, slots=SLOTS, quantize=quantize
  )
  laws.of_a_result(result, attack, classifier, images, labels, radius, quantize=quantize)


@pytest.mark.usual("apgd", "square")
@pytest.mark.parametrize("name", ["bim", "pgd", "apgd", "mim", "fgsm", "square", "nes", "cw_linf"])
def test_eight_bits_are_a_smaller_ball(name):
  """An epsilon off the grid leaves what the largest whole number of levels inside it leaves."""
  classifier, (images, labels, _) = awkward.classifier(), awkward.examples()
  coarse, fine = (
    attacks.run(
      TABLE[name], classifier, images, labels, levels / 255, 0, slots=SLOTS, quantize=quantize
    )
    for levels, quantize in ((7.9, True), (7, False))
  )
  laws.eight_bits_are_a_smaller_ball(coarse, fine)


@pytest.mark.usual("scale 1e6-*", "offset-*")
@pytest.mark.parametrize(
  "attack", [attacks.pgd(steps=10), attacks.apgd(steps=10)], ids=["pgd", "apgd"]
)
@pytest.mark.parametrize("kind", ["scale 1e2", "scale 1e4", "scale 1e6", "offset"])
def test_neither_scale_nor_offset_of_the_logits_hides_anything(kind, attack):
  """The cross-entropy resolves all but the smallest, where a softmax is nearly uniform."""
  images, labels, _ = awkward.examples("plain", 64)
  plain, other = (
    attacks.run(attack, awkward.classifier(name), images, labels, 6 / 255, 0, slots=SLOTS)
    for name in ("plain", kind)
  )
  assert 0.1 < plain.success.mean() < 0.9
  assert np.abs(plain.success.sum() - other.success.sum()) <= 2


@pytest.mark.slow
def test_at_the_bound_all_figures_agree():
  """Smallest epsilons, their curve and the plain attack at the largest epsilon."""
  classifier, (images, labels, _) = awkward.classifier(), awkward.examples()
  for name in ("bim", "pgd", "apgd"):
    plain = attacks.run(TABLE[name], classifier, images, labels, 16 / 255, 0, slots=SLOTS)
    smallest = attacks.minimal_epsilon(
      TABLE[name], classifier, images, labels, 16 / 255, 1 / 255, key=0, slots=SLOTS
    )
    withstood = ~np.isfinite(smallest.epsilon)
    assert smallest.accuracy(16 / 255) == smallest.accuracy([16 / 255])[0] == withstood.mean()
    np.testing.assert_array_equal(withstood, ~plain.success)


BISECTED = ("pgd", "apgd, l2, restarts", "cw", "fmn, l1", "square")  # In its own ways.


@_in_turn(1, BISECTED)
@both
@pytest.mark.parametrize("row", [row for row in TABLE if row != "autoattack"])
def test_of_a_bisection(row, quantize):
  attack, classifier = TABLE[row], awkward.classifier()
  images, labels, _ = awkward.examples()
  upper = _radius(attack)
  smallest = attacks.minimal_epsilon(
    attack,
    classifier,
    images,
    labels,
    upper,
    upper / 4,
    key=0,
    slots=SLOTS,
    quantize=quantize,
  )
  laws.of_a_bisection(smallest, attack, classifier, images, labels, upper, quantize=quantize)
