"""What holds for every result of every attack on every classifier; each failure names its law."""

import jax
import numpy as np

from jaxbench import attacks

_ORDERS = {"linf": np.inf, "l2": 2, "l1": 1}
_ROUNDING = 2e-6  # Share of a logit by which one program may differ from another.


@jax.jit
def _logits(classifier, images):
  with jax.default_matmul_precision("highest"):
    return classifier(images)


def norm_of(attack):
  return attacks.norm_name(attacks.cascade(attack).attacks[0].norm)


def distances(found, images, attack):
  """float64 [B], of what is returned, in the attack's norm."""
  deltas = (found.adversarial.astype(np.float64) - images).reshape(len(images), -1)
  return np.linalg.norm(deltas, _ORDERS[norm_of(attack)], axis=1)


def success_is_the_prediction(success, prediction, labels):
  """Law 1: one meaning of success."""
  np.testing.assert_array_equal(success, prediction != labels, "law 1: success is the prediction")


def the_prediction_is_the_classifiers(found, classifier):
  """Laws 1 and 2: by an independent forward pass; -1 where a logit is no number."""
  logits = np.asarray(_logits(classifier, found.adversarial), np.float32)
  finite = np.isfinite(logits).all(axis=1)
  np.testing.assert_array_equal(
    found.prediction == -1, ~finite, "law 2: what is not a number is not robust"
  )
  some, predicted = logits[finite], found.prediction[finite]
  chosen = some[np.arange(len(some)), predicted]
  lead = some.max(axis=1) - chosen
  assert (lead <= _ROUNDING * np.abs(some).max(axis=1, initial=0, where=some > -1e8)).all(), (
    "law 1: the prediction is that of a forward pass on what is returned"
  )


def what_is_returned_is_inside(found, images, attack, radius):
  """Law 1: of the ball and the box."""
  assert found.adversarial.min() >= 0, "law 1: inside the box"
  assert found.adversarial.max() <= 1, "law 1: inside the box"
  assert np.isfinite(found.adversarial).all(), "law 1: inside the box"
  sizes = distances(found, images, attack)
  assert (sizes <= radius * (1 + 2e-6) + 2e-6).all(), "law 1: inside the ball"
  return sizes


def it_is_of_8_bits(found):
  """Law 4: on the grid."""
  levels = 255 * found.adversarial.astype(np.float64)
  np.testing.assert_allclose(levels, np.round(levels), atol=1e-3, err_msg="law 4: on the grid")


def it_costs_what_it_says(found, attack):
  """Passes of what was attacked are those of its steps, the clean pass and the verdicts."""
  attacked = found.steps > 0
  assert (found.forwards[~attacked] >= 1).all(), "cost"
  assert (found.backwards >= 0).all(), "cost"
  if not any(one.backwards for one in attacks.cascade(attack).attacks):
    assert (found.backwards == 0).all(), "cost"


def of_a_result(found, attack, classifier, images, labels, radius, *, quantize):
  """All laws of one `attacks.run`."""
  success_is_the_prediction(found.success, found.prediction, labels)
  the_prediction_is_the_classifiers(found, classifier)
  sizes = what_is_returned_is_inside(found, images, attack, radius)
  np.testing.assert_allclose(found.distance, np.minimum(sizes, radius), rtol=1e-4, atol=2e-6)
  assert (found.distance <= np.float32(radius)).all(), "law 5: no distance is above the bound"
  if quantize:
    it_is_of_8_bits(found)
  it_costs_what_it_says(found, attack)


def of_a_bisection(found, attack, classifier, images, labels, upper, *, quantize):
  """All laws of one `attacks.minimal_epsilon`."""
  success = np.isfinite(found.epsilon)
  success_is_the_prediction(success, found.prediction, labels)
  the_prediction_is_the_classifiers(found, classifier)
  sizes = what_is_returned_is_inside(found, images, attack, upper)
  np.testing.assert_allclose(
    found.epsilon[success], np.minimum(sizes, upper)[success], rtol=1e-4, atol=2e-6
  )
  assert (found.epsilon[success] <= np.float32(upper)).all(), "law 4: never more than `upper`"
  assert found.accuracy(upper) == (~success).mean(), "law 5: at the bound"
  if quantize:
    it_is_of_8_bits(found)
