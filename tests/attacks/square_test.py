"""Square's windows, bumps and schedule, against the rules of the authors' code in plain numpy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxbench import attacks, errors
from jaxbench.attacks.engine import slots
from jaxbench.attacks.parts import square_windows

KEY = jax.random.key(0)


def _sides(shape, queries, share=0.8):
  """Side of the square of each query, in linf."""
  halvings = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)
  for query in range(queries):
    pixels = share / 2 ** sum(query > bound for bound in halvings) * shape[0] * shape[1]
    yield min(max(round(np.sqrt(pixels)), 1), min(shape))


def _candidates(attack, shape, steps, classifier, epsilon=0.05):
  """Candidates and best images of one grey example, [T, H, W, 3] each."""
  image = jnp.full((*shape, 3), 0.5)
  state = attack.init(attacks.Example(KEY, image, jnp.int32(0), jnp.float32(epsilon)))
  step = jax.jit(attack.step)
  candidates, best = [], []
  for _ in range(steps):
    candidates.append(np.asarray(state.candidate))
    state = step(classifier, state)
    best.append(np.asarray(state.image))
  return np.stack(candidates), np.stack(best)


def _unmoved(images):
  """A classifier that nothing fools and that prefers every image to the last ones: none is."""
  return jnp.stack([jnp.full(len(images), 9.0), jnp.zeros(len(images)), jnp.zeros(len(images))], 1)


UNMOVED = jax.tree_util.Partial(_unmoved)


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(32, 32), (20, 28)])
def test_squares_have_the_sides_and_values_of_the_schedule(shape):
  candidates, best = _candidates(attacks.square(queries=300), shape, 301, UNMOVED)
  start = best[0]
  assert (np.abs(start - 0.5) > 0.0499).all()
  assert (start == start[:1]).all()  # Stripes.
  for side, candidate in zip(_sides(shape, 300), candidates[1:], strict=True):
    changed = (candidate != start).any(axis=2)
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    assert len(rows) <= side
    assert len(columns) <= side
    if len(rows):
      assert np.ptp(rows) < side
      assert np.ptp(columns) < side
    assert np.isclose(np.abs(candidate - 0.5), 0.05, atol=1e-6).all()
  assert len({tuple(np.flatnonzero((c != start).any(axis=(1, 2)))) for c in candidates[1:]}) > 15


@pytest.mark.parametrize(("pixels", "expected"), [(224, [200, 142, 100, 71, 50, 35, 25, 18])])
def test_sides_at_224_pixels_are_the_published_ones(pixels, expected):
  assert list(dict.fromkeys(_sides((pixels, pixels), 5000))) == expected


def test_the_best_image_changes_only_for_a_larger_margin(tiny, examples):
  images, labels = examples
  attack = attacks.square(queries=50)
  keys = jax.random.split(KEY, len(images))
  state = jax.vmap(attack.init)(attacks.Example(keys, images, labels, jnp.full(len(images), 0.01)))
  step = jax.jit(jax.vmap(attack.step, (None, 0)))
  last = np.full(len(images), -np.inf)
  for _ in range(50):
    state = slots.where(state.progress.done, state, step(tiny, state))
    logits = np.array(tiny(state.image))
    own = np.take_along_axis(logits, labels[:, None], 1)[:, 0].copy()
    np.put_along_axis(logits, labels[:, None], -np.inf, 1)
    margins = logits.max(axis=1) - own
    assert (margins >= last - 1e-5).all()
    last = margins


def _bump(side, power, order):
  """The authors' eta, for one window."""

  def half(height, width):
    total = np.zeros((height, width))
    for k in range(max(height // 2 + 1, width // 2 + 1)):
      rows = slice(max(height // 2 - k, 0), min(height // 2 + k + 1, height))
      columns = slice(max(width // 2 - k, 0), min(width // 2 + k + 1, width))
      total[rows, columns] += 1 / (k + 1) ** power
    return total / np.linalg.norm(total.ravel(), order)

  both = np.concatenate([half(side // 2, side), -half(side - side // 2, side)])
  return both / np.linalg.norm(both.ravel(), order)


@pytest.mark.parametrize(("order", "power"), [(2, 2), (1, 4)])
@pytest.mark.parametrize("side", [3, 5, 8, 11])
def test_bumps_are_those_of_the_authors_code(side, order, power):
  image = jnp.zeros((14, 17, 3))
  window = square_windows.Window(jnp.int32(2), jnp.int32(4), jnp.int32(side))
  expected = _bump(side, power, order)
  seen = set()
  for seed in range(6):
    bump = square_windows._Pyramids(order, power).bump(jax.random.key(seed), image, window)
    bump = np.asarray(bump)[2 : 2 + side, 4 : 4 + side, 0]
    turned = bool(np.abs(bump - expected).max() > 1e-5)
    np.testing.assert_allclose(bump, expected.T if turned else expected, atol=1e-6)
    seen.add(turned)
  assert seen == {True, False}


@pytest.mark.parametrize("norm", ["l2", "l1"])
def test_proposals_use_the_whole_radius(norm):
  """A grey image is far from the box, so nothing is lost to it."""
  order = 2 if norm == "l2" else 1
  candidates, _ = _candidates(attacks.square(queries=60, norm=norm), (20, 20), 60, UNMOVED, 2.0)
  sizes = np.linalg.norm((candidates - 0.5).reshape(len(candidates), -1), order, axis=1)
  np.testing.assert_allclose(sizes, 2.0, rtol=1e-4)
  assert len({candidate.tobytes() for candidate in candidates}) > 50


def test_official_windows_are_shared_and_clean_ones_are_not():
  image = jnp.full((16, 16, 3), 0.5)
  for compat, shared in (("official", True), ("clean", False)):
    attack = attacks.square(queries=100, compat=compat)
    states = [
      attack.init(attacks.Example(jax.random.key(seed), image, jnp.int32(0), jnp.float32(0.1)))
      for seed in (0, 1)
    ]
    step = jax.jit(attack.step)
    equal = []
    for _ in range(80):
      states = [step(UNMOVED, state) for state in states]
      rows = [np.asarray((state.candidate != state.image).any(axis=(1, 2))) for state in states]
      # Where a square has the sign of all its stripes already, nothing changes.
      if rows[0].any() and rows[1].any():
        equal.append((rows[0] == rows[1]).all())
    assert len(equal) > 40
    assert (np.mean(equal) > 0.9) == shared


@pytest.mark.parametrize(
  "arguments", [{"queries": 0}, {"share": 0.0}, {"norm": "l0"}, {"compat": "x"}]
)
def test_bad_arguments_are_errors(arguments):
  with pytest.raises(errors.InputError):
    attacks.square(**arguments)
