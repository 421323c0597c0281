"""The default of `slots`: what is the fastest, and what examples fill."""

import numpy as np
import pytest

from jaxbench import devices, seats


def _on(monkeypatch, count, cpu=True):
  class Mesh:
    size = count

  monkeypatch.setattr(devices, "mesh", Mesh)
  monkeypatch.setattr(seats, "on_cpu", lambda: cpu)


def _weights(megabytes):
  return [np.zeros((megabytes, 2**20), np.uint8)] if megabytes else []


@pytest.mark.parametrize(
  ("megabytes", "examples", "cores", "slots"),
  [
    (100, 200, 1, 8),
    (100, 200, 2, 8),
    (100, 8, 2, 4),
    (100, 1, 2, 1),
    (1, 200, 1, 32),
    (1, 64, 2, 32),
    (1, 40, 1, 24),
    (0, 200, 1, 8),  # A function, of which nothing is known.
  ],
)
def test_on_a_cpu_the_size_of_the_model_decides(monkeypatch, megabytes, examples, cores, slots):
  _on(monkeypatch, cores)
  assert seats.fastest(_weights(megabytes), examples) == slots


@pytest.mark.parametrize(
  ("examples", "count", "most", "slots"),
  [
    (8, 1, 64, 8),
    (200, 1, 64, 56),
    (50000, 8, 256, 256),
    (1024, 8, 256, 64),
    (1024, 1, 256, 256),
    (130, 2, 64, 40),
  ],
)
def test_on_an_accelerator_there_are_many(monkeypatch, examples, count, most, slots):
  _on(monkeypatch, count, cpu=False)
  assert seats.fastest(_weights(100), examples, most) == slots


@pytest.mark.parametrize("count", [1, 2, 8])
@pytest.mark.parametrize("most", [1, 3, 8, 30, 64, 256])
def test_batches_are_no_more_than_needed_and_nearly_full(monkeypatch, count, most):
  _on(monkeypatch, count)
  sizes = set()
  for examples in range(1, 700):
    slots = seats.even(examples, most)
    each = -(-examples // count)
    batches = -(-each // slots)
    assert 1 <= slots <= most
    assert batches == -(-each // most)
    assert slots * batches - each < max(batches, 8 * batches * (slots > 8))
    assert seats.even(examples, slots) == slots
    sizes.add(slots)
  assert len(sizes) <= 8 + most // 8 + 1
