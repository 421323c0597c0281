"""Operators that have code of our own, in all the ways that torch has them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from torch import nn

from jaxbench import models

OPERATORS = {
  "depthwise": nn.Conv2d(6, 6, 3, stride=2, padding=1, groups=6),
  "grouped": nn.Conv2d(6, 4, 3, groups=2, bias=False),
  "dilated": nn.Conv2d(6, 4, 3, padding=2, dilation=2),
  "rectangular": nn.Conv2d(6, 4, (3, 1), stride=(2, 1), padding=(1, 0)),
  "same": nn.Conv2d(6, 4, 3, padding="same"),
  "transposed": nn.ConvTranspose2d(6, 4, 3, stride=2),
  "one dimension": nn.Sequential(nn.Flatten(2), nn.Conv1d(6, 4, 3), nn.Unflatten(2, (-1, 2))),
  "patches": nn.Conv2d(6, 4, 2, stride=2),
  "max pool": nn.MaxPool2d(3, 2, 1),
  "rectangular pool": nn.MaxPool2d((2, 4)),
  "pool beyond the edge": nn.MaxPool2d(3, 2, ceil_mode=True),
  "gelu": nn.GELU(),
  "gelu by tanh": nn.GELU("tanh"),
  "layer norm": nn.LayerNorm(8),
  "layer norm of two axes": nn.LayerNorm((8, 8)),
  "layer norm without weights": nn.LayerNorm(8, elementwise_affine=False),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_outputs_and_gradients_are_those_of_torch(name):
  torch.manual_seed(0)
  module = nn.Sequential(nn.Conv2d(3, 6, 1), OPERATORS[name], nn.Flatten())
  for weight in module.parameters():
    nn.init.normal_(weight, std=0.2)
  bridged = models.from_torch(module, models.Preprocess(8))
  values = np.random.default_rng(0).random((2, 8, 8, 3), np.float32)
  images = torch.tensor(values, requires_grad=True)
  output = module(images.permute(0, 3, 1, 2))
  output.sin().sum().backward()
  np.testing.assert_allclose(bridged(jnp.asarray(values)), output.detach(), atol=1e-5)
  gradient = jax.jit(jax.grad(lambda x: jnp.sin(bridged(x)).sum()))(values)
  np.testing.assert_allclose(gradient, images.grad, atol=1e-5)


def test_no_program_copies_a_kernel():
  layers = nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Conv2d(6, 4, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()
  bridged = models.from_torch(nn.Sequential(*layers), models.Preprocess(8), check=False)
  lowered = jax.jit(lambda model, x: model(x)).lower(bridged, jnp.zeros((2, 8, 8, 3)))
  assert " transpose(" in lowered.as_text("hlo")
  assert " transpose(" not in lowered.compile().as_text()
