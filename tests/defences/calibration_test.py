"""Do the three attackers break what does not defend? Defences that only look so, and their bases.

Under the worst of gray, white (from anywhere, or begun at gray) and black, a fake must be as weak
as its base, to within two points.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import struct
from references import defences as reference

from jaxbench import attacks
from jaxbench.defences.base import Defence

COUNT, EPSILON, KEY = 100, 4 / 255, jax.random.key(2)
TRANSFERRED = {"keep_going": True, "steps": 10}


@struct.dataclass
class Rounded(Defence):
  """Logits in steps, of which each has no slope: the prediction stays."""

  def one(self, image, key):
    logits = self.answer(image, key)
    order = jnp.argsort(jnp.argsort(logits)).astype(jnp.float32)
    return jax.lax.stop_gradient(jnp.round(logits) + 2 * order)


@struct.dataclass
class Numb(Defence):
  """Nothing is done but to the gradients, which are gone."""

  def one(self, image, key):
    return self.answer(jax.lax.stop_gradient(image), key)


@struct.dataclass
class Noisy(Defence):
  """A little noise before the answer."""

  draws = True

  def one(self, image, key):
    noise = jax.random.normal(self.own(key), image.shape, image.dtype)
    return self.answer(image + noise / 255, key)


@struct.dataclass
class Idle(Defence):
  """Nothing at all."""

  def one(self, image, key):
    return self.answer(image, key)


@pytest.fixture(scope="module")
def base():
  return reference.encoder()


@pytest.fixture(scope="module")
def problem(base):
  images = reference.images(COUNT, seed=8)
  return images, np.asarray(base(jnp.asarray(images)).argmax(axis=1), np.int32)


def _right(attack, defended, problem, **options):
  """How far each image is right: of a randomised model, in how many of five evaluations."""
  evaluations = 5 if getattr(defended, "random", False) else 0
  found = attacks.run(
    attack, defended, *problem, EPSILON, KEY, slots=25, evaluations=evaluations, **options
  )
  if found.votes is None:
    return (~found.success).astype(float), found.adversarial
  return (found.votes == problem[1][:, None]).mean(axis=1), found.adversarial


def _worst(defended, base, problem):
  """By attacker, and of each image the least."""
  draws = {"draws": 4} if getattr(defended, "random", False) else {}
  gray, made = _right(attacks.apgd(**TRANSFERRED), defended, problem, surrogate=base)
  white, _ = _right(attacks.apgd(**TRANSFERRED, **draws), defended, problem)
  begun, _ = _right(attacks.apgd(**TRANSFERRED, **draws), defended, problem, start=made)
  black, _ = _right(attacks.square(queries=100), defended, problem)
  levels = {"gray": gray, "white": white, "begun": begun, "black": black}
  return levels, np.min(list(levels.values()), axis=0).mean()


@pytest.fixture(scope="module")
def undefended(base, problem):
  return _worst(base, base, problem)


def test_the_base_is_neither_safe_nor_lost(undefended):
  levels, worst = undefended
  assert 0.1 < worst < 0.7
  assert levels["white"].mean() <= levels["black"].mean()


@pytest.mark.usual("Rounded")
@pytest.mark.parametrize("fake", [Rounded, Numb, Noisy])
def test_what_does_not_defend_is_broken_as_its_base(fake, base, problem, undefended):
  defended = fake(base, "exact", 0)
  levels, worst = _worst(defended, base, problem)
  assert abs(worst - undefended[1]) <= 0.02
  if fake is not Noisy:  # What has no gradients looks safe to whoever takes them alone.
    assert levels["white"].mean() > worst + 0.1


@pytest.mark.slow
def test_what_does_nothing_has_the_rows_of_its_base(base, problem):
  idle = Idle(base, "exact", 0)
  attack = attacks.pgd(steps=4)
  ours, theirs = (
    attacks.run(attack, who, *problem, EPSILON, KEY, slots=25) for who in (idle, base)
  )
  for name in ("prediction", "success", "steps"):
    np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
  np.testing.assert_allclose(ours.adversarial, theirs.adversarial, atol=1e-6)
