"""Our ResNet against a plain torch one, written here from the paper, with random statistics."""

import jax
import jax.numpy as jnp
import numpy as np
import torch
from flax import nnx
from torch.nn import functional as F

from jaxbench import models

CONFIG = models.ResNetConfig((1, 2), 8, 5, models.Preprocess(32))


def _random_statistics(model):
  rng = np.random.default_rng(0)
  state = nnx.state(model)
  randomized = jax.tree.map(
    lambda x: jnp.asarray(0.5 + rng.random(x.shape, np.float32)) if x.ndim == 1 else x, state
  )
  nnx.update(model, randomized)
  return model


def _bn(x, bn):
  arrays = (bn.running_mean, bn.running_var, bn.weight, bn.bias)
  return F.batch_norm(x, *(torch.tensor(np.asarray(a[...])) for a in arrays))


def _conv(x, conv, stride):
  kernel = torch.tensor(np.asarray(conv.kernel[...]).transpose(3, 2, 0, 1))
  return F.conv2d(x, kernel, stride=stride, padding=kernel.shape[-1] // 2)


def _forward(model, images):
  mean, std = torch.tensor(model.config.mean), torch.tensor(model.config.std)
  x = ((images - mean) / std).permute(0, 3, 1, 2)
  x = F.max_pool2d(F.relu(_bn(_conv(x, model.conv1, 2), model.bn1)), 3, 2, 1)
  for stage, blocks in enumerate(model.layers):
    for index, block in enumerate(blocks):
      stride = 2 if stage > 0 and index == 0 else 1
      y = F.relu(_bn(_conv(x, block.conv1, stride), block.bn1))
      y = _bn(_conv(y, block.conv2, 1), block.bn2)
      if block.downsample is not None:
        x = _bn(_conv(x, block.downsample.conv, stride), block.downsample.bn)
      x = F.relu(x + y)
  weight, bias = (torch.tensor(np.asarray(a[...])) for a in (model.fc.kernel, model.fc.bias))
  return x.mean((2, 3)) @ weight + bias


def test_logits_and_gradients_equal_torch():
  model = _random_statistics(models.ResNet(CONFIG, rngs=nnx.Rngs(1)))
  images = np.random.default_rng(1).random((3, 32, 32, 3), np.float32)
  pixels = torch.tensor(images, requires_grad=True)
  expected = _forward(model, pixels)
  expected[:, 0].sum().backward()
  scale = np.ptp(expected.detach().numpy())
  np.testing.assert_allclose(model(images), expected.detach().numpy(), atol=1e-4 * scale)
  gradient = jax.grad(lambda x: model(x)[:, 0].sum())(jnp.asarray(images))
  size = np.abs(pixels.grad.numpy()).max()
  np.testing.assert_allclose(gradient, pixels.grad.numpy(), atol=1e-3 * size)
