import numpy as np
import pytest
import torch

from jaxbench.models.weights import positions


@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize(("before", "after"), [(7, 12), (12, 7), (4, 4), (24, 5)])
@pytest.mark.parametrize("extra", [0, 1])
def test_equals_torch(before, after, antialias, extra):
  table = np.random.default_rng(0).standard_normal((extra + before**2, 5)).astype(np.float32)
  grid = torch.tensor(table[extra:]).reshape(1, before, before, 5).permute(0, 3, 1, 2)
  expected = torch.nn.functional.interpolate(
    grid, (after, after), mode="bicubic", align_corners=False, antialias=antialias
  )
  found = positions.resize(table, extra + after**2, antialias=antialias)
  np.testing.assert_array_equal(found[:extra], table[:extra])
  rows = expected[0].permute(1, 2, 0).reshape(after**2, 5).numpy()
  np.testing.assert_allclose(found[extra:], rows, atol=1e-5)
