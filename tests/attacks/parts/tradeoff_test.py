"""The search for the constant, with steps that need no classifier."""

import jax.numpy as jnp
import numpy as np
import pytest
from flax import struct

from jaxbench import attacks
from jaxbench.attacks.parts import tradeoff


@struct.dataclass
class _State:
  constant: tradeoff.Constant
  progress: attacks.Progress


def _run(enough, objective, steps, searches, keep_going=True):
  """The constants in use before each step."""

  def descend(_, state):
    across = state.constant.value >= enough
    progress = state.progress.replace(fooled=state.progress.fooled | across)
    state = state.replace(progress=progress)
    return state, across, objective(state.constant.steps)

  step = tradeoff.search(descend, lambda state: state, steps, searches, keep_going)
  state = _State(tradeoff.begin(1e-3), attacks.Progress.begin())
  seen = []
  while not state.progress.done:
    seen.append(float(state.constant.value))
    state = step(None, state)
  assert state.progress.count == len(seen)
  return seen


def test_it_multiplies_by_ten_until_one_fools_and_halves_from_then_on():
  falling = [1e-3, 1e-2, 0.1, 1.0, 0.55, 0.325, 0.2125, 0.26875]
  seen = _run(0.25, lambda age: 1.0 / (1.0 + age.astype(jnp.float32)), 3, 8)
  np.testing.assert_allclose(seen, np.repeat(falling, 3), rtol=1e-5)


@pytest.mark.parametrize(("steps", "taken"), [(5, 2), (40, 5)])
def test_a_search_without_progress_ends_at_its_second_look(steps, taken):
  seen = _run(1.0, lambda _: jnp.float32(1), steps, 2)
  np.testing.assert_allclose(seen, np.repeat([1e-3, 1e-2], taken), rtol=1e-5)


def test_the_first_success_is_the_end_unless_told_to_keep_going():
  seen = _run(1e-2, lambda _: jnp.float32(1), 1, 5, keep_going=False)
  np.testing.assert_allclose(seen, [1e-3, 1e-2], rtol=1e-5)
