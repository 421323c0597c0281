"""What every attack promises; a new attack adds one row."""

import contextlib
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxbench import attacks
from jaxbench.attacks import norms, slots

TABLE = {
  "fgsm": attacks.fgsm(),
  "fgsm, l2": attacks.fgsm(norm="l2"),
  "pgd": attacks.pgd(steps=5),
  "pgd, l2": attacks.pgd(steps=5, norm="l2"),
  "pgd, l1": attacks.pgd(steps=5, norm="l1"),
  "pgd, dlr, restarts": attacks.pgd(steps=3, loss="dlr", restarts=2),
  "pgd, all steps": attacks.pgd(steps=5, keep_going=True),
  "pgd, distance": attacks.pgd(steps=5, loss="distance", relative_step=10.0),
  "apgd": attacks.apgd(steps=5),
  "apgd, l2, restarts": attacks.apgd(steps=5, norm="l2", loss="margin", restarts=2),
  "apgd, l1": attacks.apgd(steps=7, norm="l1"),
  "apgd, targets": attacks.apgd(steps=4, loss="dlr", targets=3),
  "apgd, all steps": attacks.apgd(steps=5, keep_going=True),
  "fab": attacks.fab(steps=5, targets=3),
  "fab, l2": attacks.fab(steps=5, norm="l2", targets=3),
  "fab, l1": attacks.fab(steps=5, norm="l1", targets=3),
  "fab, untargeted, restarts": attacks.fab(steps=4, targets=0, restarts=2),
  "cw": attacks.cw(steps=40, searches=3, initial_constant=1.0),
  "cw_linf": attacks.cw_linf(steps=20, initial_constant=0.5),
  "mim, l2": attacks.mim(steps=5, norm="l2"),
  "dim, all steps": attacks.dim(steps=5, relative_step=2.5, rate=0.5, keep_going=True),
  "tim": attacks.tim(steps=5, relative_step=2.5, kernel=3),
  "si": attacks.si(steps=4, relative_step=2.5, copies=2),
  "vmi": attacks.vmi(steps=4, relative_step=2.5, neighbors=2),
  "ddn": attacks.ddn(steps=20, initial_radius=0.4),
  "deepfool": attacks.deepfool(steps=6),
  "ead": attacks.ead(steps=20, searches=2, initial_constant=1.0),
  "fmn": attacks.fmn(steps=10),
  "fmn, l1": attacks.fmn(steps=10, norm="l1", keep_going=True),
  "nes": attacks.nes(queries=84, pairs=10),
  "simba": attacks.simba(queries=60),
  "boundary": attacks.boundary(queries=60),
  "hopskipjump": attacks.hopskipjump(queries=200, samples=20),
  "square": attacks.square(queries=60),
  "square, l2": attacks.square(queries=60, norm="l2"),
  "square, l1": attacks.square(queries=60, norm="l1"),
}
pytestmark = pytest.mark.parametrize("attack", TABLE.values(), ids=TABLE)
COUNT = 24  # Examples.
SLOTS = 1  # On each of 8 devices: most examples wait for a slot.
KEY = jax.random.key(5)
RADII = {"linf": 8 / 255, "l2": 0.4, "l1": 4.0}
ORDERS = {"linf": np.inf, "l2": 2, "l1": 1}


COMPILED = []
jax.monitoring.register_event_duration_secs_listener(
  lambda name, seconds, **_: COMPILED.append(name) if "backend_compile" in name else None
)


@contextlib.contextmanager
def _no_compilation():
  before = len(COMPILED)
  yield
  assert len(COMPILED) == before


@functools.cache
def _programs(attack):
  """For a batch: the attack's start, a step of what is not done, and the norm."""

  def step(classifier, state):
    return slots.where(state.done, state, jax.vmap(attack.step, (None, 0))(classifier, state))

  return jax.jit(jax.vmap(attack.init)), jax.jit(step), jax.jit(jax.vmap(attack.norm.size))


def _epsilon(attack):
  return RADII[norms.name_of(attack.norm)]


def test_every_iterate_is_inside_the_ball_and_the_box(attack, tiny, examples):
  images, labels = examples
  epsilon = jnp.linspace(0, _epsilon(attack), COUNT)
  begin, step, measure = _programs(attack)
  state = begin(jax.random.split(KEY, COUNT), images, labels, epsilon)
  for _ in range(attack.steps):
    sizes = measure(state.image - images)
    assert (sizes <= epsilon * (1 + 1e-6) + 1e-6).all()
    assert state.image.min() >= 0
    assert state.image.max() <= 1
    state = step(tiny, state)
  assert state.done.all()


def test_success_is_what_an_independent_forward_pass_says(attack, tiny, examples):
  images, labels = examples
  result = attacks.run(attack, tiny, images, labels, _epsilon(attack), KEY, slots=SLOTS)
  prediction = np.argmax(tiny(result.adversarial), axis=1)
  np.testing.assert_array_equal(result.success, prediction != labels)
  np.testing.assert_array_equal(result.prediction, prediction)
  assert result.success.any()
  deltas = (result.adversarial - images).reshape(COUNT, -1)
  sizes = np.linalg.norm(deltas, ORDERS[norms.name_of(attack.norm)], axis=1)
  np.testing.assert_allclose(result.distance, sizes, rtol=1e-5)
  assert (sizes <= _epsilon(attack) * (1 + 1e-6) + 1e-6).all()


def test_epsilon_zero_is_the_identity(attack, tiny, examples):
  images, labels = examples
  result = attacks.run(attack, tiny, images, labels, 0.0, KEY, slots=SLOTS)
  np.testing.assert_array_equal(result.adversarial, images)


def test_neither_the_order_nor_the_epsilon_of_others_changes_an_example(attack, tiny, examples):
  """Nor does a new epsilon or another number of examples compile anything."""
  images, labels = examples
  epsilons = np.linspace(0, _epsilon(attack), COUNT).astype(np.float32)
  begin, step, _ = _programs(attack)
  arrays = (jax.random.split(KEY, COUNT), images, labels, epsilons)
  forth, back = (
    step(tiny, begin(*(array[order] for array in arrays)))
    for order in (np.arange(COUNT), np.arange(COUNT)[::-1])
  )
  np.testing.assert_array_equal(forth.image, back.image[::-1])
  attacks.run(attack, tiny, images, labels, epsilons, KEY, slots=SLOTS)
  with _no_compilation():
    attacks.run(attack, tiny, images[3:], labels[3:], epsilons[3:] / 2, KEY, slots=SLOTS)


def test_what_is_misclassified_already_is_left_alone(attack, tiny, examples):
  images, _ = examples
  wrong = (np.argmax(tiny(images), axis=1) + 1) % 10
  result = attacks.run(attack, tiny, images, wrong.astype(np.int32), 0.1, KEY, slots=SLOTS)
  np.testing.assert_array_equal(result.adversarial, images)
  assert result.success.all()
  assert not result.steps.any()
  assert (result.forwards == 1).all()
  assert (result.stage == -1).all()
  assert not result.backwards.any()
