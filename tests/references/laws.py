"""What holds for every result of every attack on every classifier; each failure names its law."""

import functools

import jax
import numpy as np

from jaxbench import attacks
from jaxbench.attacks.engine import slots

_ORDERS = {"linf": np.inf, "l2": 2, "l1": 1}
_ROUNDING = 2e-6  # Share of a logit by which one program may differ from another.


@jax.jit
def _logits(classifier, images):
  with jax.default_matmul_precision("highest"):
    return classifier(images)


def norm_of(attack):
  return attacks.norm_name(attacks.cascade(attack).attacks[0].norm)


def distances(result, images, attack):
  """float64 [B], of what is returned, in the attack's norm."""
  deltas = (result.adversarial.astype(np.float64) - images).reshape(len(images), -1)
  return np.linalg.norm(deltas, _ORDERS[norm_of(attack)], axis=1)


def success_is_the_prediction(success, prediction, labels):
  """Law 1: one meaning of success."""
  np.testing.assert_array_equal(success, prediction != labels, "law 1: success is the prediction")


def the_prediction_is_the_classifiers(result, classifier):
  """Laws 1 and 2: by an independent forward pass; -1 where a logit is no number."""
  logits = np.asarray(_logits(classifier, result.adversarial), np.float32)
  finite = np.isfinite(logits).all(axis=1)
  compared = finite & (result.prediction != -1)
  some, predicted = logits[compared], result.prediction[compared]
  chosen = some[np.arange(len(some)), predicted]
  lead = some.max(axis=1) - chosen
  assert (lead <= _ROUNDING * np.abs(some).max(axis=1, initial=0, where=some > -1e8)).all(), (
    "law 1: the prediction is that of a forward pass on what is returned"
  )
  np.testing.assert_array_equal(
    result.prediction == -1, ~finite, "law 2: what is not a number is not robust"
  )


def what_is_returned_is_inside(result, images, attack, radius):
  """Law 1: of the ball and the box."""
  assert result.adversarial.min() >= 0, "law 1: inside the box"
  assert result.adversarial.max() <= 1, "law 1: inside the box"
  assert np.isfinite(result.adversarial).all(), "law 1: inside the box"
  sizes = distances(result, images, attack)
  assert (sizes <= radius * (1 + 2e-6) + 2e-6).all(), "law 1: inside the ball"
  return sizes


def it_is_of_8_bits(result):
  """Law 4: on the grid."""
  levels = 255 * result.adversarial.astype(np.float64)
  np.testing.assert_allclose(levels, np.round(levels), atol=1e-3, err_msg="law 4: on the grid")


def it_costs_what_it_says(result, attack):
  """Passes of what was attacked are those of its steps, the clean pass and the verdicts."""
  attacked = result.steps > 0
  assert (result.forwards[~attacked] >= 1).all(), "cost"
  assert (result.backwards >= 0).all(), "cost"
  if not any(one.backwards for one in attacks.cascade(attack).attacks):
    assert (result.backwards == 0).all(), "cost"


def of_a_result(result, attack, classifier, images, labels, radius, *, quantize):
  """All laws of one `attacks.run`."""
  success_is_the_prediction(result.success, result.prediction, labels)
  the_prediction_is_the_classifiers(result, classifier)
  sizes = what_is_returned_is_inside(result, images, attack, radius)
  np.testing.assert_allclose(result.distance, np.minimum(sizes, radius), rtol=1e-4, atol=2e-6)
  assert (result.distance <= np.float32(radius)).all(), "law 5: no distance is above the bound"
  if quantize:
    it_is_of_8_bits(result)
  it_costs_what_it_says(result, attack)


def of_a_bisection(smallest, attack, classifier, images, labels, upper, *, quantize):
  """All laws of one `attacks.minimal_epsilon`."""
  success = np.isfinite(smallest.epsilon)
  success_is_the_prediction(success, smallest.prediction, labels)
  the_prediction_is_the_classifiers(smallest, classifier)
  sizes = what_is_returned_is_inside(smallest, images, attack, upper)
  np.testing.assert_allclose(
    smallest.epsilon[success], np.minimum(sizes, upper)[success], rtol=1e-4, atol=2e-6
  )
  at_the_bound(smallest, upper)
  if quantize:
    it_is_of_8_bits(smallest)


def at_the_bound(smallest, upper):
  """Laws 4 and 5, of a bisection."""
  success = np.isfinite(smallest.epsilon)
  assert (smallest.epsilon[success] <= np.float32(upper)).all(), "law 4: never more than `upper`"
  assert smallest.accuracy(upper) == (~success).mean(), "law 5: at the bound"


def _leads(classifier, images, labels):
  """By how much the best other class leads the label, in float64 [B]; infinite if not finite."""
  logits = np.asarray(_logits(classifier, images), np.float64)
  own = logits[np.arange(len(labels)), labels]
  others = np.where(np.arange(logits.shape[1]) == labels[:, None], -np.inf, logits).max(axis=1)
  return np.where(np.isfinite(logits).all(axis=1), others - own, np.inf)


def it_is_no_weaker_than_a_start(result, classifier, images, labels, names):
  """Law 6: on smooth classifiers, most of what is returned is stronger than the clean image."""
  smooth = np.isin(names, ["plain", "offset", "scale 1e2", "one class masked", "bfloat16"])
  attacked = smooth & (result.steps > 0)
  stronger = _leads(classifier, result.adversarial, labels) > _leads(classifier, images, labels)
  assert stronger[attacked].mean() > 0.9, "law 6: never weaker than where it began"


def eight_bits_are_a_smaller_ball(quantized, on_grid):
  """Law 4: what a ball of 8-bit images leaves is what the ball of whole levels inside leaves."""
  assert quantized.success.mean() >= on_grid.success.mean() - 0.05, "law 4: a smaller ball"


def more_is_never_weaker(few, many, classifier, labels):
  """Law 6, example by example."""
  assert (few.success <= many.success).all(), "law 6: more restarts, no fewer successes"
  same = few.success == many.success
  before, after = (_leads(classifier, result.adversarial, labels) for result in (few, many))
  assert (after[same] >= before[same] - 1e-4).mean() > 0.95, "law 6: more restarts, no weaker image"


@functools.cache
def programs(attack):
  """For a batch: the attack's start, and a step of what is not done."""

  def step(classifier, state):
    return slots.where(
      state.progress.done, state, jax.vmap(attack.step, (None, 0))(classifier, state)
    )

  return jax.jit(jax.vmap(attack.init)), jax.jit(step)


def claims_hold(attack, classifier, images, labels, radius):
  """Law 3: what an attack says of its image at any step is so, and ends its search."""
  count = len(images)
  begin, step = programs(attack)
  keys = jax.random.split(jax.random.key(5), count)
  state = begin(attacks.Example(keys, images, labels, np.full(count, radius, np.float32)))
  for _ in range(attack.steps):
    state = step(classifier, state)
    claimed = np.asarray(state.progress.fooled & (state.progress.done | (not attack.keep_going)))
    predicted = np.asarray(_logits(classifier, state.image)).argmax(axis=1)
    assert (predicted[claimed] != labels[claimed]).all(), "law 3: claims hold"
    if not (attack.keep_going or attack.minimizes):
      assert np.asarray(state.progress.done)[claimed].all(), "law 3: claims end the search"


def passes_are_those_declared(taken, attack):
  assert taken == (attack.forwards, attack.backwards), "passes: taken as declared"
