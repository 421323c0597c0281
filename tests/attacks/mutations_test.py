"""What breaks a law fails by the law's name: broken attacks and a broken judge, on purpose."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from references import awkward, laws, passes

from jaxbench import attacks
from jaxbench.attacks.engine import batching, next_run, verdict
from jaxbench.attacks.parts import grid, norms

RADIUS = 7.9 / 255  # Not on the grid of 8 bits.


def _check(attack, *, quantize=False):
  """The laws that tests of all attacks check, for one of them."""
  classifier, (images, labels, names) = awkward.classifier(), awkward.examples()
  result = attacks.run(attack, classifier, images, labels, RADIUS, 0, slots=8, quantize=quantize)
  laws.of_a_result(result, attack, classifier, images, labels, RADIUS, quantize=quantize)
  if quantize:
    on_grid = attacks.run(attack, classifier, images, labels, 7 / 255, 0, slots=8)
    laws.eight_bits_are_a_smaller_ball(result, on_grid)
  laws.it_is_no_weaker_than_a_start(result, classifier, images, labels, names)


def _check_steps(attack, tiny, examples):
  """The laws that tests of all attacks check step by step."""
  laws.claims_hold(attack, tiny, *examples, 8 / 255)
  laws.passes_are_those_declared(passes.taken(attack, tiny, *examples), attack)


def test_an_honest_attack_and_judge_pass(tiny, examples):
  _check(attacks.pgd(steps=5))
  _check(attacks.pgd(steps=5), quantize=True)
  _check_steps(attacks.pgd(steps=5), tiny, examples)


def _with_step(attack, change):
  def step(classifier, state):
    return change(classifier, state, attack.step(classifier, state))

  return attack._replace(step=step)


def test_pgd_that_descends(monkeypatch):
  def descend(gradient, image):
    return -jnp.sign(gradient)

  monkeypatch.setitem(norms.NORMS, "linf", norms.NORMS["linf"]._replace(steepest=descend))
  attacks.pgd.cache_clear()
  with pytest.raises(AssertionError, match="law 6"):
    _check(attacks.pgd(steps=6))
  attacks.pgd.cache_clear()


def test_pgd_that_moves_on_after_fooling(tiny, examples):
  def move_on(classifier, before, after):
    noise = jax.random.uniform(jax.random.key(1), after.image.shape, minval=-1.0)
    moved = norms.NORMS["linf"].project(
      before.example.clean, before.image + noise, before.example.epsilon
    )
    return dataclasses.replace(after, image=jnp.where(after.progress.fooled, moved, after.image))

  with pytest.raises(AssertionError, match="law 3"):
    _check_steps(_with_step(attacks.pgd(steps=5), move_on), tiny, examples)


def test_passes_that_are_declared_and_not_taken(tiny, examples):
  with pytest.raises(AssertionError, match="passes"):
    _check_steps(attacks.pgd(steps=5)._replace(forwards=3), tiny, examples)


def test_a_judge_that_trusts_claims(monkeypatch):
  """Of an attack that boasts."""

  def boast(classifier, before, after):
    progress = after.progress.replace(fooled=jnp.bool_(True), done=jnp.bool_(True))
    return dataclasses.replace(after, progress=progress)

  honest = verdict.judge.__wrapped__

  def trust(norm):
    judge_honestly = honest(norm)

    def judged(classifier, job):
      judgement = judge_honestly(classifier, job)
      return judgement.replace(
        prediction=jnp.where(judgement.claimed, 9 - job.label, judgement.prediction)
      )

    return judged

  monkeypatch.setattr(batching.verdict, "judge", trust)
  with pytest.raises(AssertionError, match="law 1"):
    _check(_with_step(attacks.pgd(steps=5), boast))


def test_rounding_that_leaves_the_ball(monkeypatch):
  def nearest(clean, image):
    return jnp.round(255 * image) / 255

  broken = norms.NORMS["linf"]._replace(quantize=nearest)
  monkeypatch.setitem(norms.NORMS, "linf", broken)
  attacks.pgd.cache_clear()
  with pytest.raises(AssertionError, match="law 4"):
    _check(attacks.pgd(steps=5), quantize=True)
  attacks.pgd.cache_clear()


def test_a_judge_that_takes_what_is_no_number_for_the_label(monkeypatch):
  def predict(logits, xp=jnp):
    return xp.argmax(xp.nan_to_num(logits), axis=-1).astype(xp.int32)

  monkeypatch.setattr(verdict, "predict", predict)
  verdict.judge.cache_clear()
  with pytest.raises(AssertionError, match="law 2"):
    _check(attacks.pgd(steps=3))
  verdict.judge.cache_clear()


def test_restarts_that_return_the_last_image(monkeypatch, tiny, examples):
  def conclude(search):
    def last(job, state):
      kept = conclude_honestly(job, state)
      return dataclasses.replace(kept, image=state.image, fooled=state.progress.fooled)

    conclude_honestly = honest(search)
    return last

  honest = next_run.repeated
  monkeypatch.setattr(next_run, "repeated", conclude)
  batching._advance.cache_clear()
  images, labels = examples
  few, many = (
    attacks.run(
      attacks.pgd(steps=3, restarts=count, keep_going=True), tiny, images, labels, 0.004, 0, slots=3
    )
    for count in (1, 5)
  )
  with pytest.raises(AssertionError, match="law 6"):
    laws.more_is_never_weaker(few, many, tiny, labels)
  batching._advance.cache_clear()


def test_distances_that_are_not_cut_at_the_bound():
  classifier, (images, labels, _) = awkward.classifier("plain"), awkward.examples("plain")
  smallest = attacks.minimal_epsilon(
    attacks.pgd(steps=5), classifier, images, labels, 0.2, 0.05, key=0, slots=2
  )
  over = np.nextafter(np.float32(0.2), np.float32(1))
  epsilon = np.where(np.isfinite(smallest.epsilon), over, np.inf).astype(np.float32)
  with pytest.raises(AssertionError, match=r"law [45]"):
    laws.at_the_bound(smallest.replace(epsilon=epsilon), 0.2)


def test_the_grid_is_what_the_test_above_replaces():
  assert norms.NORMS["linf"].quantize is grid.by_largest_change
