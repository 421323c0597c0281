import functools

import jax
import numpy as np
import pytest
import torch

from jaxbench.models.parts import pooling


@pytest.mark.slow
@pytest.mark.parametrize("window, stride, padding", [(3, 2, 1), (2, 2, 0), (3, 2, 0)])
def test_max_pool_and_its_gradient_at_ties_and_nan(window, stride, padding):
  """Small integers: most windows have several largest elements."""
  random = np.random.default_rng(0)
  x = random.integers(-1, 2, (2, 7, 8, 3)).astype(np.float32)
  pool = functools.partial(pooling.max_pool, window=window, stride=stride, padding=padding)
  y, pull = jax.jit(lambda x: jax.vjp(pool, x))(x)
  pixels = torch.tensor(x.transpose(0, 3, 1, 2), requires_grad=True)
  expected = torch.nn.functional.max_pool2d(pixels, window, stride, padding)
  fed_back = random.normal(size=y.shape).astype(np.float32)
  expected.backward(torch.tensor(fed_back.transpose(0, 3, 1, 2)))
  np.testing.assert_array_equal(y, expected.detach().numpy().transpose(0, 2, 3, 1))
  found = pixels.grad.numpy().transpose(0, 2, 3, 1)
  np.testing.assert_allclose(pull(fed_back)[0], found, atol=1e-6)
  assert np.isnan(pool(np.where(x > 0, np.nan, x))).sum() > 0
