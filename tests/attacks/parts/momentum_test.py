"""The attacks with momentum, against loops in torch with the same draws and closed forms."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from references import attacks as reference
from references import momentum as loops
from references import towers
from scipy import stats

from jaxbench import attacks, data, errors, models
from jaxbench.attacks.dim import draw, resize_and_pad

KEY = jax.random.key(0)
EPSILON, STEPS, COUNT = 0.1, 5, 8
IMAGES = 0.4 + 0.2 * np.random.default_rng(0).random((16, 4, 4, 3), np.float32)


@functools.cache
def _programs(attack):
  begin = jax.vmap(attack.init, (attacks.Example(0, 0, 0, None),))
  return jax.jit(begin), jax.jit(jax.vmap(attack.step, (None, 0)))


def _begin(attack, images, labels, epsilon):
  """States, and the program of a step."""
  begin, step = _programs(attack)
  keys = jax.random.split(KEY, len(images))
  return begin(attacks.Example(keys, images, labels, jnp.float32(epsilon))), step


@jax.jit
def _keys():
  """What the estimators are given, [STEPS, COUNT]."""
  fold = jax.vmap(jax.vmap(jax.random.fold_in, (0, None)), (None, 0))
  return fold(jax.random.split(KEY, COUNT), jnp.arange(STEPS))


def _resizes(probability):
  """What dim draws of 8 x 8 pixels at a rate of 0.5, as the loop takes it."""

  def one(key):
    chance, place = jax.random.split(key)
    return jax.random.bernoulli(chance, probability), *draw(place, (8, 8), 0.5)

  chosen, sizes, corners = jax.device_get(jax.jit(jax.vmap(jax.vmap(one)))(_keys()))
  places = np.concatenate([sizes, corners], axis=-1).tolist()
  return [
    [place if resized else None for place, resized in zip(*step, strict=True)]
    for step in zip(places, chosen, strict=True)
  ]


def _noise(neighbors, radius):
  """What vmi draws, [STEPS, neighbors, COUNT, 8, 8, 3]."""

  def one(key):
    keys = jax.random.split(key, neighbors)
    return jax.vmap(lambda key: jax.random.uniform(key, (8, 8, 3), minval=-1, maxval=1))(keys)

  drawn = jax.jit(jax.vmap(jax.vmap(one)))(_keys())
  return torch.tensor(radius * np.asarray(drawn).swapaxes(1, 2))


def _all_steps(factory, **arguments):
  return factory(steps=STEPS, keep_going=True, **arguments)


STRIDE = EPSILON / STEPS
# Attacks, the settings of the loop, and the gradient that it takes.
PARITY = {
  "bim": (_all_steps(attacks.bim), {"length": 2.5, "decay": 0.0}, loops.plain),
  "mim": (
    _all_steps(attacks.mim, decay=0.7, relative_step=2.0),
    {"length": 2.0, "decay": 0.7},
    loops.plain,
  ),
  "mim, l2": (_all_steps(attacks.mim, norm="l2"), {"norm": "l2"}, loops.plain),
  "dim": (
    _all_steps(attacks.dim, rate=0.5, probability=0.6),
    {},
    lambda *given: loops.diverse(*given, _resizes(0.6)),
  ),
  "tim": (_all_steps(attacks.tim), {}, lambda *given: loops.smoothed(loops.plain(*given))),
  "tim, diverse": (
    _all_steps(attacks.tim, kernel=5, rate=0.5, probability=0.6),
    {},
    lambda *given: loops.smoothed(loops.diverse(*given, _resizes(0.6)), 5),
  ),
  "ni": (_all_steps(attacks.ni), {}, lambda *given: loops.scaled(*given, STRIDE, 1)),
  "si": (_all_steps(attacks.si, copies=3), {}, lambda *given: loops.scaled(*given, STRIDE, 3)),
  "vmi": (
    _all_steps(attacks.vmi, neighbors=3, beta=2.0),
    {},
    lambda *given: loops.tuned(*given, _noise(3, 2 * EPSILON)),
  ),
}


@pytest.mark.usual("mim, l2", "tim, diverse", "ni", "si", "vmi")
@pytest.mark.parametrize("name", PARITY)
def test_iterates_equal_a_loop_in_torch(name, tiny, examples):
  """And at last comes the strongest: of those that fool, or of all, that of the largest loss."""
  attack, settings, gradient = PARITY[name]
  images, labels = (array[:COUNT] for array in examples)
  weights = [torch.tensor(array) for array in tiny.args[0]]

  def model(x):
    hidden = x.flatten(1) @ weights[0] - 1
    return 0.5**0.5 * torch.nn.functional.gelu(hidden, approximate="tanh") @ weights[1]

  clean, classes = torch.tensor(images), torch.tensor(labels).long()
  rule = gradient(model, classes)
  *seen, _ = loops.iterates(clean, EPSILON, rule, steps=STEPS, **settings)
  state, step = _begin(attack, images, labels, EPSILON)
  for x in seen:
    _assert_nearly_all_equal(state.image, x)
    state = step(tiny, state)
  # Those that fool come first.
  values = torch.stack(
    [
      reference.cross_entropy(model(x), classes) + 1e3 * (model(x).argmax(dim=1) != classes)
      for x in seen
    ]
  )
  strongest = torch.stack(seen)[values.argmax(dim=0), range(COUNT)]
  _assert_nearly_all_equal(state.image, strongest)
  assert state.progress.done.all()


def _assert_nearly_all_equal(result, expected):
  """Processors round differently; where a slope is next to 0, its sign may differ then."""
  assert np.isclose(result, expected, rtol=0, atol=2e-5).mean() > 0.99


@pytest.mark.parametrize("shape", [(32, 32), (33, 33), (17, 24)])
def test_resize_and_pad_equals_torch(shape):
  image = np.random.default_rng(1).random((*shape, 3), np.float32)
  program = jax.jit(resize_and_pad)
  for height in (shape[0] - 1, int(0.9 * shape[0]), shape[0] // 2, 3):
    width = height * shape[1] // shape[0]
    for share in ((0.0, 0.0), (1.0, 0.3), (0.6, 1.0)):
      top, left = int(share[0] * (shape[0] - height)), int(share[1] * (shape[1] - width))
      padded = np.asarray(program(image, np.array([height, width]), np.array([top, left])))
      expected = loops.resized(torch.tensor(image), height, width, top, left).numpy()
      np.testing.assert_allclose(padded, expected, atol=1e-5)
      np.testing.assert_array_equal(padded == 0, expected == 0)


def test_sizes_and_corners_are_uniform():
  program = jax.jit(jax.vmap(lambda key: draw(key, (32, 32), 0.9)))
  sizes, corners = jax.device_get(program(jax.random.split(KEY, 4000)))
  assert (sizes[:, 0] == sizes[:, 1]).all()
  counts = np.bincount(sizes[:, 0], minlength=32)
  assert counts[:28].sum() == 0
  assert stats.chisquare(counts[28:]).pvalue > 1e-3
  for side in range(28, 32):
    table = stats.contingency.crosstab(*corners[sizes[:, 0] == side].T).count
    assert table.shape == (32 - side, 32 - side)
    assert table.size == 1 or stats.chisquare(table.ravel()).pvalue > 1e-3


@pytest.mark.parametrize("factory", [attacks.mim, attacks.si])
def test_on_a_linear_classifier_the_steps_end_at_the_corner_of_the_ball(factory, linear):
  weights = linear.args[0][:, :2]
  classifier = jax.tree_util.Partial(lambda w, x: x.reshape(len(x), -1) @ w, weights)
  labels = np.asarray(classifier(IMAGES).argmax(axis=1), np.int32)
  state, step = _begin(factory(steps=3, loss="margin"), IMAGES, labels, 1e-3)
  for _ in range(3):
    state = step(classifier, state)
  uphill = np.sign(weights[:, 1] - weights[:, 0]).reshape(4, 4, 3)
  corners = IMAGES + 1e-3 * np.where(labels, -1, 1)[:, None, None, None] * uphill
  assert not state.progress.fooled.any()
  np.testing.assert_allclose(state.image, corners, atol=1e-6)


@pytest.mark.parametrize("scale", [0.0, 1e-30])
def test_gradients_of_no_size_are_no_trouble(scale, linear):
  """None at all is no move; the tiniest are a move of full length."""
  classifier = jax.tree_util.Partial(linear.func, scale * linear.args[0])
  attack = attacks.mim(steps=4, loss=lambda logits, label: -logits[label], keep_going=True)
  state = attack.init(attacks.Example(KEY, jnp.asarray(IMAGES[0]), jnp.int32(0), jnp.float32(0.1)))
  for _ in range(2):
    state = jax.jit(attack.step)(classifier, state)
  np.testing.assert_allclose(np.abs(state.image - IMAGES[0]), 0.05 if scale else 0.0, atol=1e-6)


PASSES = {
  "bim": attacks.bim(),
  "mim": attacks.mim(),
  "dim": attacks.dim(),
  "tim": attacks.tim(),
  "tim, diverse": attacks.tim(probability=0.5),
  "ni": attacks.ni(),
  "si": attacks.si(copies=3),
  "vmi": attacks.vmi(neighbors=3),
}


@pytest.mark.parametrize("name", PASSES)
def test_passes_are_counted(name, linear):
  attack = PASSES[name]
  counts = {"forwards": 0, "backwards": 0}

  def count(passes):
    counts[passes] += 1

  @jax.custom_vjp
  def counted(logits):
    jax.debug.callback(functools.partial(count, "forwards"))
    return logits

  def backward(_, cotangent):
    jax.debug.callback(functools.partial(count, "backwards"))
    return (cotangent,)

  counted.defvjp(lambda logits: (counted(logits), None), backward)
  classifier = jax.tree_util.Partial(lambda w, x: counted(linear.func(w, x)), linear.args[0])
  state = attack.init(attacks.Example(KEY, jnp.asarray(IMAGES[0]), jnp.int32(0), jnp.float32(0.1)))
  jax.block_until_ready(jax.jit(attack.step)(classifier, state))
  jax.effects_barrier()
  assert counts == {"forwards": attack.forwards, "backwards": attack.backwards}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "radius"), [("digits-clip", 3), ("digits-clip-robust", 12)])
def test_finds_what_torch_finds(name, radius, scans):
  """No draws: all but a near tie is the same on the same weights."""
  clip, epsilon = models.load(name), radius / 255
  ours = models.zero_shot(clip, data.load("digits").class_names, models.templates("simple"))
  theirs = towers.Classifier(ours, clip.config)
  images, labels = (array[:96] for array in scans)
  classes = torch.tensor(labels).long()
  rule = loops.scaled(theirs, classes, epsilon / STEPS, 2)
  fooled = torch.zeros(len(labels), dtype=torch.bool)
  for x in loops.iterates(torch.tensor(images), epsilon, rule, steps=STEPS):
    with torch.no_grad():
      fooled |= theirs(x).argmax(dim=1) != classes
  state, step = _begin(attacks.si(steps=STEPS, copies=2), images, labels, epsilon)
  for _ in range(STEPS):
    state = step(ours, state)
  wrong = jax.jit(lambda c, x: c(x))(ours, state.image).argmax(axis=1) != labels
  assert 0.05 < wrong.mean() < 0.95
  assert (wrong != fooled.numpy()).sum() <= 1


@pytest.mark.parametrize(
  ("factory", "arguments"),
  [
    (attacks.bim, {"steps": 0}),
    (attacks.mim, {"norm": "l1"}),
    (attacks.mim, {"decay": -0.1}),
    (attacks.mim, {"relative_step": 0.0}),
    (attacks.dim, {"probability": 1.5}),
    (attacks.dim, {"rate": 1.0}),
    (attacks.tim, {"kernel": 4}),
    (attacks.tim, {"probability": -0.5}),
    (attacks.ni, {"loss": "mse"}),
    (attacks.si, {"copies": 0}),
    (attacks.vmi, {"beta": 0.0}),
    (attacks.vmi, {"neighbors": 0}),
  ],
)
def test_bad_arguments_are_errors(factory, arguments):
  with pytest.raises(errors.InputError):
    factory(**arguments)
