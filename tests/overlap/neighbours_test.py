"""The search against brute force in NumPy, in float64."""

import jax
import numpy as np
import pytest

from jaxbench import devices, errors, overlap
from jaxbench.overlap import kernel


def _unit(draw, rows, width=24):
  vectors = draw.normal(size=(rows, width))
  return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)


def _brute_force(queries, vectors, k):
  q, v = (x.astype(np.float64) for x in (queries, vectors))
  cosines = q @ v.T / np.linalg.norm(q, axis=1)[:, None] / np.linalg.norm(v, axis=1)
  order = np.argsort(-np.round(cosines, 9), axis=1, kind="stable")[:, :k]
  return np.take_along_axis(cosines, order, axis=1), order


def _find(queries, vectors, settings, size=None):
  size = size or overlap.piece_size(len(vectors))
  pieces = (vectors[start : start + size] for start in range(0, len(vectors), size))
  return overlap.nearest(queries, pieces, len(vectors), settings)


@pytest.mark.parametrize("total", [3, 700, 2500])
def test_the_nearest_are_those_of_brute_force(total):
  draw = np.random.default_rng(total)
  queries, vectors = _unit(draw, 70), _unit(draw, total)
  found = _find(queries, vectors, overlap.Settings(3))
  similarity, row = _brute_force(queries, vectors, 3)
  np.testing.assert_array_equal(found.row, row)
  np.testing.assert_allclose(found.similarity, similarity, atol=3e-7)


def test_cosines_are_of_the_vectors_whatever_rounding_left_of_their_lengths():
  draw = np.random.default_rng(0)
  queries, vectors = _unit(draw, 40), _unit(draw, 600).astype(np.float32)
  vectors *= draw.uniform(0.992, 1.008, (600, 1)).astype(np.float32)
  found = _find(4 * queries, vectors, overlap.Settings(2))
  similarity, row = _brute_force(queries, vectors, 2)
  np.testing.assert_array_equal(found.row, row)
  np.testing.assert_allclose(found.similarity, similarity, atol=3e-7)


def test_copies_tie_exactly_wherever_they_stand_and_the_first_one_leads():
  draw = np.random.default_rng(1)
  vectors = _unit(draw, 1500)
  copies = [5, 130, 131, 700, 1499]
  vectors[copies] = vectors[5]
  found = _find(vectors[5:6], vectors, overlap.Settings(4))
  np.testing.assert_array_equal(found.row, [copies[:4]])
  assert len(np.unique(found.similarity)) == 1


def test_several_pieces_are_as_one(monkeypatch):
  draw = np.random.default_rng(2)
  queries, vectors = _unit(draw, 33), _unit(draw, 2500)
  whole = _find(queries, vectors, overlap.Settings(5))
  cut = kernel._CPU._replace(piece=128, queries=32)
  monkeypatch.setattr(kernel, "_CPU", cut)
  assert overlap.piece_size(2500) == 8 * 128
  parts = _find(queries, vectors, overlap.Settings(5))
  np.testing.assert_array_equal(parts.row, whole.row)
  np.testing.assert_array_equal(parts.similarity, whole.similarity)


def test_fewer_vectors_than_neighbours_leave_places_empty():
  draw = np.random.default_rng(3)
  for recall in (1.0, 0.9):
    found = _find(_unit(draw, 4), _unit(draw, 2), overlap.Settings(3, recall=recall))
    assert np.isneginf(found.similarity[:, 2]).all()
    assert (np.sort(found.row[:, :2], axis=1) == [0, 1]).all()


@pytest.mark.parametrize(
  "settings", [overlap.Settings(3, recall=0.95), overlap.Settings(3, dtype="bfloat16")]
)
def test_what_is_found_by_approximation_has_its_exact_cosine(settings):
  draw = np.random.default_rng(4)
  queries, vectors = _unit(draw, 64), _unit(draw, 1500)
  found = _find(queries, vectors, settings)
  similarity, row = _brute_force(queries, vectors, 3)
  assert (found.row == row).mean() >= 0.9  # On a CPU approx_max_k is exact.
  same = found.row == row
  np.testing.assert_allclose(found.similarity[same], similarity[same], atol=3e-7)


def test_the_program_is_compiled_once_for_all_shards():
  draw, settings = np.random.default_rng(5), overlap.Settings(6)
  queries, sizes = _unit(draw, 10), []
  for rows in (900, 1000, 1024):
    _find(queries, _unit(draw, rows), settings)
    sizes.append(kernel.program(settings)._cache_size())
  assert len(set(sizes)) == 1  # Other tests may have compiled it for other numbers of queries.


@pytest.mark.parametrize(
  ("row", "value", "message"),
  [(7, 3.0, "vector 7 has the length"), (1200, np.nan, "vector 1200 has the length nan")],
)
def test_vectors_that_are_not_of_length_1_are_refused(row, value, message):
  vectors = _unit(np.random.default_rng(6), 1500)
  vectors[row] *= value
  with pytest.raises(errors.InputError, match=message):
    _find(vectors[:5], vectors, overlap.Settings(2))


@pytest.mark.parametrize(
  ("settings", "message"),
  [
    (overlap.Settings(0), "ask for 1 to 128"),
    (overlap.Settings(1, dtype="float61"), "Did you mean 'float16'"),
    (overlap.Settings(1, recall=1.5), "recall=1.5 is a share"),
  ],
)
def test_wrong_settings_are_one_clear_line(settings, message):
  with pytest.raises(errors.InputError, match=message):
    _find(np.ones((1, 4)), np.ones((1, 4), np.float16) / 2, settings)


def test_no_device_waits_for_another():
  program, tiles = kernel.program(overlap.Settings(2)), np.ones((1, 32, 8), np.float32)
  first = np.arange(8, dtype=np.int32)
  best = np.zeros((8 * 32, 2), np.float32), np.zeros((8 * 32, 2), np.int32)
  arguments = (first, first, np.ones((8 * 128, 8), np.float16), *best)
  text = program.lower(devices.replicate(tiles), *arguments).compile().as_text()
  assert not any(name in text for name in ("all-reduce", "all-gather", "collective-permute"))
  assert jax.device_count() == 8
