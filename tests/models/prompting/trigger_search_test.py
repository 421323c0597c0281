"""The search against brute force and finite differences, on a tiny vocabulary."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.sharding import Mesh

from jaxbench import devices, errors, models
from jaxbench.models.prompting import prompt_loss, trigger_search

NAMES = ("cat", "dog", "bird")
WORDS = "a photo of the big small red old drawing toy"
SPACE = 220  # Decodes to a space: no prompt may have it.


@pytest.fixture(scope="module")
def clip():
  """Random weights; its words are those above."""
  texts = [WORDS, *NAMES]
  ids = {token for text in models.encode(texts) for token in text}
  tower = models.TowerConfig(16, 1, 2, 32, "quick_gelu")
  shape = models.CLIPConfig(
    embed_dim=8,
    vision=tower,
    text=tower,
    patch_size=8,
    preprocess=models.Preprocess(16),
    vocabulary=tuple(sorted({0, SPACE, *ids, 49_406, 49_407})),
  )
  clip = models.CLIP(shape, rngs=nnx.Rngs(0))
  # Larger embeddings than a fresh model has: then words matter.
  clip.text.token_embedding[...] *= 25
  return clip


@pytest.fixture(scope="module")
def images():
  draw = np.random.default_rng(0)
  features = draw.normal(size=(40, 8)).astype(np.float32)
  return features / np.linalg.norm(features, axis=1, keepdims=True), np.arange(40) % 3


def _loss(clip, images, ids):
  """Mean cross-entropy of a prompt, in numpy, from whole sequences of tokens."""
  features, labels = images
  tokens = np.zeros((len(NAMES), 12), np.int32)
  for row, name in zip(tokens, models.encode(NAMES), strict=True):
    row[: len(ids) + len(name) + 2] = [49_406, *ids, *name, 49_407]
  classes = np.asarray(_encode(clip, tokens), np.float64)
  classes /= np.linalg.norm(classes, axis=1, keepdims=True)
  logits = float(clip.logit_scale) * features @ classes.T
  logits -= logits.max(axis=1, keepdims=True)
  return np.mean(np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(labels)), labels])


_encode = jax.jit(lambda clip, tokens: clip.encode_text(tokens))


def _usable(clip):
  return [token for token in clip.config.vocabulary if token not in (SPACE, 49_406, 49_407)]


def _task(clip, images, length):
  return models.prompt_task(clip, NAMES, *images, length)


def test_one_token_is_the_best_of_all(clip, images):
  losses = {token: _loss(clip, images, [token]) for token in _usable(clip)}
  found = models.search_prompts(_task(clip, images, 1), models.encode(["photo"])[0], candidates=99)
  best = min(losses, key=losses.get)
  assert found.prompts[0].ids == (best,)
  np.testing.assert_allclose(found.prompts[0].loss, losses[best], atol=1e-5)
  assert found.converged
  assert len(found.steps[0].best.ids) == 1


@pytest.mark.slow
def test_it_is_coordinate_descent_by_brute_force(clip, images):
  start = tuple(models.encode(["a photo of"])[0])
  ids, position, unchanged, path = list(start), 0, 0, []
  while unchanged < 3:
    trials = [
      [*ids[:position], t, *ids[position + 1 :]] for t in _usable(clip) if t != ids[position]
    ]
    best = min(trials, key=lambda trial: _loss(clip, images, trial))
    accepted = _loss(clip, images, best) < _loss(clip, images, ids)
    path.append((position, tuple(best), accepted))
    ids, unchanged = (best, 0) if accepted else (ids, unchanged + 1)
    position = (position + 1) % 3
  found = models.search_prompts(_task(clip, images, 3), start, candidates=99, keep=4)
  assert [(step.position, step.best.ids, step.accepted) for step in found.steps] == path
  assert found.prompts[0].ids == tuple(ids)
  assert found.converged
  losses = [one.loss for one in found.prompts]
  assert losses == sorted(losses)
  for one in (*found.prompts, found.start):
    np.testing.assert_allclose(one.loss, _loss(clip, images, one.ids), atol=1e-5)
  assert found.start.ids == start


@pytest.mark.slow
def test_few_candidates_are_the_most_promising_to_first_order(clip, images):
  task = _task(clip, images, 2)
  ids = jnp.array(models.encode(["a photo"])[0])
  vectors = np.asarray(clip.text.embed(ids[None])[0])
  table = np.asarray(clip.text.token_embedding[...])

  score = jax.jit(lambda task, context: prompt_loss.score(task, context)[0])

  def loss(replaced):
    return float(score(task, jnp.asarray(vectors).at[1].set(replaced)))

  # The gradient by central differences, component by component.
  step, gradient = 1e-2, np.zeros(16)
  for part in range(16):
    shift = step * np.eye(16, dtype=np.float32)[part]
    gradient[part] = (loss(vectors[1] + shift) - loss(vectors[1] - shift)) / (2 * step)
  exact = jax.jit(jax.grad(score, argnums=1))(task, jnp.asarray(vectors))[1]
  np.testing.assert_allclose(exact, gradient, atol=1e-3 * np.abs(gradient).max() + 1e-3)
  order = [clip.config.vocabulary[row] for row in np.argsort(table @ gradient, kind="stable")]
  promising = [token for token in order if token in _usable(clip) and token != int(ids[1])]
  allowed = trigger_search._allowed(clip.config.vocabulary)
  found = trigger_search._promising(task, ids, jnp.int32(1), allowed, 5)
  assert found.tolist() == promising[:5]


def test_equal_losses_go_to_the_smaller_id(clip, images):
  """A word whose embedding is another's."""
  twin = jax.tree.map(lambda x: x, clip)
  best = models.search_prompts(_task(clip, images, 1), models.encode(["old"])[0], candidates=99)
  (winner,) = best.prompts[0].ids
  vocabulary = list(clip.config.vocabulary)
  others = [token for token in _usable(clip) if token not in (winner, *models.encode(["old"])[0])]
  table = np.array(clip.text.token_embedding[...])
  for other in (min(others), max(others)):
    copied = table.copy()
    copied[vocabulary.index(other)] = copied[vocabulary.index(winner)]
    twin.text.token_embedding = nnx.Param(jnp.asarray(copied))
    found = models.search_prompts(_task(twin, images, 1), models.encode(["old"])[0], candidates=99)
    if other in {token for name in models.encode(NAMES) for token in name}:
      continue  # Then the classes are others too.
    assert found.prompts[0].ids == (min(other, winner),)


@pytest.mark.slow
def test_the_same_on_one_device_and_on_eight_and_again(clip, images, monkeypatch):
  task, start = _task(clip, images, 3), models.encode(["a photo of"])[0]
  several = models.search_prompts(task, start, candidates=5, iterations=6)
  assert models.search_prompts(task, start, candidates=5, iterations=6) == several
  monkeypatch.setattr(devices, "mesh", lambda: Mesh(np.array(jax.devices()[:1]), ("data",)))
  trigger_search._scores.cache_clear()
  alone = models.search_prompts(task, start, candidates=5, iterations=6)
  trigger_search._scores.cache_clear()
  assert alone == several


def test_no_program_is_compiled_after_the_first_iteration(clip, images):
  task, start = _task(clip, images, 2), models.encode(["old toy"])[0]
  models.search_prompts(task, start, candidates=4, iterations=1)
  before = trigger_search._promising._cache_size(), trigger_search._scores()._cache_size()
  models.search_prompts(task, start, candidates=4, iterations=5)
  assert before == (trigger_search._promising._cache_size(), trigger_search._scores()._cache_size())


def test_nothing_to_search_on_or_with_is_refused(clip, images):
  features, labels = images
  with pytest.raises(errors.InputError, match="no images to search prompts on"):
    models.prompt_task(clip, NAMES, features[:0], labels[:0], 4)
  with pytest.raises(errors.InputError, match="makes 78 tokens"):
    models.prompt_task(clip, NAMES, features, labels, 75)


def test_a_soft_prompt_does_better_than_any_word(clip, images):
  losses = {token: _loss(clip, images, [token]) for token in _usable(clip)}
  word, path, task = min(losses, key=losses.get), [], _task(clip, images, 1)
  start = clip.text.embed(jnp.array([[word]]))[0]
  with jax.numpy_dtype_promotion("standard"):  # Optax promotes.
    found = models.learn_prompt(task, start, steps=20, learning_rate=0.02, report=path.append)
  assert found.shape == start.shape
  assert len(path) == 20
  np.testing.assert_allclose(path[0], losses[word], atol=1e-5)
  loss, accuracy = jax.jit(prompt_loss.score)(task, found)
  assert loss < losses[word] - 0.01
  soft = models.SoftPrompts((tuple(map(tuple, found.tolist())),), "")
  logits = images[0] @ np.asarray(models.zero_shot(clip, NAMES, soft).text)
  assert np.mean(logits.argmax(axis=1) == images[1]) == pytest.approx(float(accuracy))
