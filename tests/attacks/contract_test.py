"""What every attack promises; a new attack adds one row."""

import contextlib
import functools
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from references import laws, passes
from references.table import KINDS, TABLE, name_of, radius

from jaxbench import attacks

every_attack = pytest.mark.parametrize("attack", TABLE.values(), ids=TABLE)
of_each_kind = pytest.mark.usual(*KINDS)  # What compiles much.
COUNT = 24  # Examples.
SLOTS = 1  # On each of 8 devices: most examples wait for a slot.
KEY = jax.random.key(5)
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
def _sizes(norm):
  return jax.jit(jax.vmap(norm.size))


def test_the_table_holds_every_attack():
  assert {name_of(row) for row in TABLE} == set(attacks.ATTACKS)


@pytest.mark.parametrize("name", attacks.ATTACKS)
def test_what_keep_going_makes_of_an_attack_is_declared(name):
  make = attacks.ATTACKS[name]
  declared = attacks.KEEP_GOING.get(make)
  assert ("keep_going" in inspect.signature(make).parameters) == (declared is not None)
  if declared is not None:
    attack = make(keep_going=True)
    assert attack.keep_going == (declared == "strongest")
    assert attack.minimizes == (declared == "smallest")


def _order(attack):
  return ORDERS[attacks.norm_name(attacks.cascade(attack).attacks[0].norm)]


@of_each_kind
@every_attack
def test_every_iterate_is_inside_the_ball_and_the_box(attack, tiny, examples):
  images, labels = examples
  epsilon = jnp.linspace(0, radius(attack), COUNT)
  for part in attacks.cascade(attack).attacks:
    begin, step = laws.programs(part)
    measure = _sizes(part.norm)
    state = begin(attacks.Example(jax.random.split(KEY, COUNT), images, labels, epsilon))
    for _ in range(part.steps):
      sizes = measure(state.image - images)
      assert (sizes <= epsilon * (1 + 1e-6) + 1e-6).all()
      assert state.image.min() >= 0
      assert state.image.max() <= 1
      state = step(tiny, state)
    assert state.progress.done.all()


@of_each_kind
@every_attack
def test_what_is_claimed_is_so_and_ends_the_search(attack, tiny, examples):
  """An attack moves on after it has fooled only if it is asked to, and then to what fools."""
  for part in attacks.cascade(attack).attacks:
    laws.claims_hold(part, tiny, *examples, radius(attack))


@of_each_kind
@every_attack
def test_a_step_takes_the_passes_that_are_declared(attack, tiny, examples):
  for part in attacks.cascade(attack).attacks:
    if part.draws == 1:
      laws.passes_are_those_declared(passes.taken(part, tiny, *examples), part)


@of_each_kind
@every_attack
def test_success_is_what_an_independent_forward_pass_says(attack, tiny, examples):
  images, labels = examples
  result = attacks.run(attack, tiny, images, labels, radius(attack), KEY, slots=SLOTS)
  prediction = np.argmax(tiny(result.adversarial), axis=1)
  np.testing.assert_array_equal(result.success, prediction != labels)
  np.testing.assert_array_equal(result.prediction, prediction)
  assert result.success.any()
  deltas = (result.adversarial - images).reshape(COUNT, -1)
  sizes = np.linalg.norm(deltas, _order(attack), axis=1)
  np.testing.assert_allclose(result.distance, sizes, rtol=1e-5)
  assert (sizes <= radius(attack) * (1 + 1e-6) + 1e-6).all()


@of_each_kind
@every_attack
def test_epsilon_zero_is_the_identity(attack, tiny, examples):
  images, labels = examples
  result = attacks.run(attack, tiny, images, labels, 0.0, KEY, slots=SLOTS)
  np.testing.assert_array_equal(result.adversarial, images)


@of_each_kind
@every_attack
def test_neither_the_order_nor_the_epsilon_of_others_changes_an_example(attack, tiny, examples):
  """Nor does a new epsilon or another number of examples compile anything."""
  images, labels = examples
  epsilons = np.linspace(0, radius(attack), COUNT).astype(np.float32)
  arrays = (jax.random.split(KEY, COUNT), images, labels, epsilons)
  for part in attacks.cascade(attack).attacks:
    begin, step = laws.programs(part)
    forth, back = (
      step(tiny, begin(attacks.Example(*(array[order] for array in arrays))))
      for order in (np.arange(COUNT), np.arange(COUNT)[::-1])
    )
    np.testing.assert_array_equal(forth.image, back.image[::-1])
  attacks.run(attack, tiny, images, labels, epsilons, KEY, slots=SLOTS)
  with _no_compilation():
    attacks.run(attack, tiny, images[3:], labels[3:], epsilons[3:] / 2, KEY, slots=SLOTS)


@of_each_kind
@every_attack
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
