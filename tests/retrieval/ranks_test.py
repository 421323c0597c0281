"""Ranks against brute force, and against what other code calls recall."""

import jax.numpy as jnp
import numpy as np
import pytest
import torch

from jaxbench import errors, models, retrieval

DIMENSIONS = 16


def _unit(rows):
  return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _world(seed, images=23, most=6):
  """Images, captions and their owners, where captions are somewhat like their images."""
  draw = np.random.default_rng(seed)
  owners = np.repeat(np.arange(images), draw.integers(1, most + 1, images))
  found = _unit(draw.normal(size=(images, DIMENSIONS)))
  captions = _unit(found[owners] + 0.6 * draw.normal(size=(len(owners), DIMENSIONS)))
  return found.astype(np.float32), captions.astype(np.float32), owners.astype(np.int32)


def _both(images, captions, owners):
  places = np.arange(len(images))
  return (
    retrieval.ranks(images, places, captions, owners),
    retrieval.ranks(captions, owners, images, places),
  )


def _brute(similarities, owners, of_items):
  """By a loop over an argsort: rank of the best own item, own ones left out; and what ties."""
  ranks, tied = [], []
  for row, owner in zip(similarities, owners, strict=True):
    own = of_items == owner
    others = np.sort(row[~own])[::-1]
    ranks.append(int(np.sum(others > row[own].max())))
    tied.append(int(np.sum(others == row[own].max())))
  return np.array(ranks), np.array(tied)


@pytest.mark.parametrize("seed", range(3))
def test_ranks_are_those_of_brute_force(seed):
  images, captions, owners = _world(seed)
  to_text, to_image = _both(images, captions, owners)
  exact = images.astype(np.float64) @ captions.astype(np.float64).T
  places = np.arange(len(images))
  for found, similarities, of_queries, of_items in (
    (to_text, exact, places, owners),
    (to_image, exact.T, owners, places),
  ):
    ranks, tied = _brute(similarities, of_queries, of_items)
    np.testing.assert_array_equal(found.rank, ranks)
    np.testing.assert_array_equal(found.tied, tied)
    np.testing.assert_array_equal(found.prediction, of_items[similarities.argmax(axis=1)])


def test_equal_items_are_counted_apart():
  """Integers, so that products are exact: whole groups of captions are equal."""
  draw = np.random.default_rng(5)
  images = draw.integers(-1, 2, (12, 4)).astype(np.float32)
  owners = np.repeat(np.arange(12), 2).astype(np.int32)
  captions = draw.integers(-1, 2, (24, 4)).astype(np.float32)
  to_text, to_image = _both(images, captions, owners)
  for found, similarities, of_queries, of_items in (
    (to_text, images @ captions.T, np.arange(12), owners),
    (to_image, captions @ images.T, owners, np.arange(12)),
  ):
    ranks, tied = _brute(similarities, of_queries, of_items)
    assert tied.any()
    np.testing.assert_array_equal(found.rank, ranks)
    np.testing.assert_array_equal(found.tied, tied)
    # Whatever a sort does with equal items, the rank is between these.
    for order in (
      np.argsort(-similarities, axis=1, kind="stable"),
      np.argsort(similarities)[:, ::-1],
    ):
      sorted_owners = of_items[order]
      first = (sorted_owners == of_queries[:, None]).argmax(axis=1)
      assert (found.rank <= first).all()
      assert (first <= found.rank + found.tied).all()


def test_equal_up_to_rounding_is_equal():
  images, captions, owners = _world(0, images=4, most=1)
  twice = np.concatenate([captions, captions * np.float32(1 + 1e-7)])
  found = retrieval.ranks(images, np.arange(4), twice, np.concatenate([owners, owners + 4]))
  assert (found.tied == 1).all()
  np.testing.assert_array_equal(
    found.rank, 2 * retrieval.ranks(images, np.arange(4), captions, owners).rank
  )


def test_neither_order_nor_blocks_change_a_rank(monkeypatch):
  images, captions, owners = _world(1)
  to_text, to_image = _both(images, captions, owners)
  draw = np.random.default_rng(0)
  new, other = draw.permutation(len(images)), draw.permutation(len(captions))
  place = np.argsort(new)  # Where an image is now.
  turned_text, turned_image = _both(images[new], captions[other], place[owners[other]])
  for name in ("rank", "tied"):
    np.testing.assert_array_equal(getattr(turned_text, name), getattr(to_text, name)[new])
    np.testing.assert_array_equal(getattr(turned_image, name), getattr(to_image, name)[other])
  monkeypatch.setitem(retrieval.ranks.__globals__, "ROWS", 3)
  for found, expected in zip(_both(images, captions, owners), (to_text, to_image), strict=True):
    np.testing.assert_array_equal(found.rank, expected.rank)


def test_recall_is_that_of_topk_where_nothing_ties():
  """CLIP_benchmark: one-hot of torch.topk, summed, above zero."""
  images, captions, owners = _world(2)
  scores = torch.from_numpy(captions @ images.T)
  positive = torch.nn.functional.one_hot(torch.from_numpy(owners).long(), len(images)).bool()
  to_text, to_image = _both(images, captions, owners)
  for k in (1, 3, 5):
    for found, matrix, own in ((to_image, scores, positive), (to_text, scores.T, positive.T)):
      top = torch.topk(matrix, k).indices
      hit = (torch.nn.functional.one_hot(top, matrix.shape[1]).sum(1) * own).sum(1) > 0
      assert (found.rank < k).mean() == hit.double().mean().item()
      # Hits over positives is another number, wherever an image has several captions.
  several = torch.topk(scores.T, 5).indices
  share = positive.T.gather(1, several).sum(1) / positive.T.sum(1)
  assert (to_text.rank < 5).mean() > share.mean().item()


def test_ranks_of_pooled_logits_are_another_thing():
  """They count images: one image with two captions ahead is one there, and two here."""
  similarities = jnp.array([[0.5, 0.9, 0.8, 0.1]])
  found = retrieval.judged(
    similarities, jnp.array([[0, -1]]), jnp.array([0, 1, 1, 2]), jnp.float32(0)
  )
  assert (found.rank.item(), found.tied.item()) == (2, 0)
  np.testing.assert_allclose(found.margin, [0.4], atol=1e-6)
  pooled = models.pooled(lambda images: similarities, [(0,), (1, 2), (3,)])(jnp.zeros((1, 1, 1, 3)))
  assert (pooled > pooled[0, 0]).sum() == 1


@pytest.mark.parametrize("lost", [0, 1, 3])
def test_who_has_nothing_that_could_be_found_is_refused(lost):
  images, captions, owners = _world(0, images=4)
  left = owners != lost
  with pytest.raises(errors.InputError, match=f"1 owners of queries have no item, {lost} first"):
    retrieval.ranks(images, np.arange(4), captions[left], owners[left])


def test_what_is_no_number_is_found_by_nobody():
  similarities = jnp.array([[jnp.nan, 0.1, 0.2], [0.9, 0.1, 0.2]])
  found = retrieval.judged(
    similarities, jnp.array([[0], [0]]), jnp.array([0, 1, 2]), jnp.float32(0)
  )
  assert found.prediction.tolist() == [retrieval.NOTHING, 0]
  assert found.rank.tolist() == [3, 0]
  np.testing.assert_allclose(found.margin, [np.inf, -0.7], atol=1e-6)
