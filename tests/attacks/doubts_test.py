"""Doubt is spoken: what makes a figure untrustworthy has a warning with a count and a way out."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from references import awkward

from jaxbench import attacks

SIGNS = {
  "plain": set(),
  "offset": set(),
  "one class masked": set(),
  "ties": {"zero_gradient"},
  "no gradients": {"zero_gradient"},
  "gradients that are no numbers": {"gradient_not_finite"},
  "scale 1e-6": {"flat_logits"},
  "scale 1e-3": {"flat_logits"},
  "scale 1e4": {"saturated"},
  "scale 1e6": {"saturated"},
  "not a number": {"not_finite"},
  "not a number where bright": {"not_finite"},
  "probabilities": {"softmax"},
  "noise by place": {"batch_dependent"},
  "logits by the size of the batch": {"batch_dependent"},
  "logits by neighbours": {"batch_dependent"},
}


@pytest.mark.usual("2-*")
@pytest.mark.parametrize("kind", SIGNS)
@pytest.mark.parametrize("slots", [2, 8])
def test_each_sign_has_its_name_and_its_count(kind, slots):
  classifier, (images, labels, _) = awkward.classifier(kind), awkward.examples(kind, 32)
  attack = attacks.apgd(steps=8)
  result = attacks.run(attack, classifier, images, labels, 8 / 255, 0, slots=slots)
  names = {one.name for one in result.warnings} - {"refuted", "unconverged"}
  assert names == SIGNS[kind]
  assert all(any(letter.isdigit() for letter in one.detail) for one in result.warnings)


def test_logits_that_break_under_attack_are_counted_apart(tiny, examples):
  images, labels = examples

  def breaking(weights, images):
    broken = images[:, 0, 0, :1] != clean
    return jnp.where(broken, jnp.nan, tiny.func(weights, images))

  clean = images[0, 0, 0, :1][None]
  classifier = jax.tree_util.Partial(breaking, tiny.args[0])
  result = attacks.run(attacks.pgd(steps=3), classifier, images, labels, 0.01, 0, slots=3)
  assert result.prediction[0] == -1  # The only image that was whole.
  assert result.success.all()
  (doubt,) = [one for one in result.warnings if one.name == "not_finite_attacked"]
  assert doubt.detail.startswith("logits of 1 of 24 attacked images")


def test_a_claim_that_never_holds_is_counted_and_no_success(tiny, examples):
  images, labels = examples
  honest = attacks.pgd(steps=2)

  def boast(classifier, state):
    progress = state.progress.replace(fooled=jnp.bool_(True), done=jnp.bool_(True))
    return dataclasses.replace(state, progress=progress)

  result = attacks.run(honest._replace(step=boast), tiny, images, labels, 0.0, 0, slots=3)
  assert not result.success.any()
  assert (result.refuted > 1).all()
  (doubt,) = result.warnings
  assert doubt.name == "refuted"
  assert f"{len(images)} of them withstood" in doubt.detail


@pytest.mark.slow
def test_what_one_rounding_claims_another_confirms_after_a_second_look():
  """Logits that differ by rounding from place to place: claims at the very boundary fail."""
  kind = "rounding by place"
  classifier, (images, labels, _) = awkward.classifier(kind), awkward.examples(kind, 64)
  attack = attacks.fmn(steps=30, norm="l2", keep_going=True)
  smallest = attacks.minimal_epsilon(attack, classifier, images, labels, 10.0, key=0, slots=8)
  assert np.isfinite(smallest.epsilon).all()
  assert "batch_dependent" not in [one.name for one in smallest.warnings]


def test_claims_of_a_classifier_that_depends_on_the_batch_are_searched_again():
  kind = "noise by place"
  classifier, (images, labels, _) = awkward.classifier(kind), awkward.examples(kind, 64)
  result = attacks.run(attacks.pgd(steps=8), classifier, images, labels, 4 / 255, 0, slots=8)
  assert result.refuted.any()
  assert {"refuted", "batch_dependent"} <= {one.name for one in result.warnings}
  # Most of what was refuted is found in the end, with room to spare for the noise.
  assert result.success[result.refuted > 0].mean() > 0.5


def test_an_attack_without_enough_steps_says_so(tiny, examples):
  images, labels = (np.concatenate([array] * 4) for array in examples)
  epsilons = np.linspace(0.001, 0.02, len(labels)).astype(np.float32)
  result = attacks.run(attacks.simba(queries=60), tiny, images, labels, 0.4, 0, slots=8)
  assert "unconverged" in [one.name for one in result.warnings]
  result = attacks.run(attacks.apgd(steps=50), tiny, images, labels, epsilons, 0, slots=8)
  assert "unconverged" not in [one.name for one in result.warnings]
