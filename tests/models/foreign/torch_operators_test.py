"""Convolutions of torch modules, in all the ways that torch has them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from torch import nn

from jaxbench import models

CONVOLUTIONS = {
  "depthwise": nn.Conv2d(6, 6, 3, stride=2, padding=1, groups=6),
  "grouped": nn.Conv2d(6, 4, 3, groups=2, bias=False),
  "dilated": nn.Conv2d(6, 4, 3, padding=2, dilation=2),
  "rectangular": nn.Conv2d(6, 4, (3, 1), stride=(2, 1), padding=(1, 0)),
  "same": nn.Conv2d(6, 4, 3, padding="same"),
  "transposed": nn.ConvTranspose2d(6, 4, 3, stride=2),
  "one dimension": nn.Sequential(nn.Flatten(2), nn.Conv1d(6, 4, 3), nn.Unflatten(2, (-1, 2))),
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_outputs_and_gradients_are_those_of_torch(name):
  torch.manual_seed(0)
  module = nn.Sequential(nn.Conv2d(3, 6, 1), CONVOLUTIONS[name], nn.Flatten())
  bridged = models.from_torch(module, models.Preprocess(8))
  values = np.random.default_rng(0).random((2, 8, 8, 3), np.float32)
  images = torch.tensor(values, requires_grad=True)
  output = module(images.permute(0, 3, 1, 2))
  output.sin().sum().backward()
  np.testing.assert_allclose(bridged(jnp.asarray(values)), output.detach(), atol=1e-5)
  gradient = jax.jit(jax.grad(lambda x: jnp.sin(bridged(x)).sum()))(values)
  np.testing.assert_allclose(gradient, images.grad, atol=1e-5)
