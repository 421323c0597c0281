"""Logits and image gradients of ours against torch's, on the same images and weights."""

import jax
import jax.numpy as jnp
import numpy as np
import torch

from jaxbench import devices, models


def randomize(model, seed=0):
  """Nothing stays at an initial 0 or 1; batch norms get statistics of their own."""
  generator = torch.Generator().manual_seed(seed)
  with torch.no_grad():
    for name, tensor in model.state_dict().items():
      if not tensor.dtype.is_floating_point:
        continue
      noise = torch.rand(tensor.shape, generator=generator)
      if name.endswith("running_var") or (tensor.ndim == 1 and name.endswith("weight")):
        tensor.copy_(0.5 + noise)
      elif tensor.ndim in (2, 4):  # Uniform, so that activations keep their size.
        fan_in = tensor[0].numel()
        tensor.copy_((noise - 0.5) * (12 * (2 if tensor.ndim == 4 else 1) / fan_in) ** 0.5)
      else:
        tensor.add_(0.1 * (noise - 0.5))
  return model.eval()


def assert_same(ours, torch_forward, config, batch=2, gradient=True, within=1e-4):
  """`ours`: images in [0, 1] NHWC -> outputs; `torch_forward`: standardised NCHW -> outputs.

  The bounds are those of the project: 1e-4 of the range of the outputs (`within` says less where
  less is held), 1e-3 of the gradient.
  """
  size = config.preprocess.size
  images = np.random.default_rng(0).random((batch, size, size, 3), np.float32)
  pixels = torch.tensor(images, requires_grad=gradient)
  with torch.set_grad_enabled(gradient):
    expected = torch_forward(_standardize(pixels, config))
  if gradient:
    found, slope = _with_gradient(ours, images)
  else:
    found = _compiled(lambda model, x: model(x))(ours, jnp.asarray(images))
  reference = expected.detach().numpy()
  assert found.shape == reference.shape
  assert np.ptp(reference) > 1e-3
  np.testing.assert_allclose(found, reference, atol=within * np.ptp(reference), rtol=0)
  if gradient:
    expected[:, 0].sum().backward()
    _assert_same_gradient(slope, pixels.grad.numpy())


def assert_same_gradient_in_double(ours, torch_module, config, batch=1):
  """Of deep ReLU networks: in float32 the kinks alone make torch differ from itself by 2e-3."""
  size = config.preprocess.size
  images = np.random.default_rng(0).random((batch, size, size, 3))
  pixels = torch.tensor(images, requires_grad=True)
  torch_module(_standardize(pixels, config))[:, 0].sum().backward()
  enable_x64 = (jax if hasattr(jax, "enable_x64") else jax.experimental).enable_x64
  with enable_x64(True), jax.numpy_dtype_promotion("standard"):
    slope = _with_gradient(models.compute_in(ours, "float64"), images)[1]
    _assert_same_gradient(slope, pixels.grad.numpy())


def _standardize(pixels, config):
  mean, std = (torch.tensor(x, dtype=pixels.dtype) for x in (config.mean, config.std))
  return ((pixels - mean) / std).permute(0, 3, 1, 2)


def _compiled(function):
  """As runs compile it."""
  return jax.jit(function, compiler_options=devices.compiler_options())


def _with_gradient(model, images):
  """Outputs, and the gradient of the sum of their first column: one program, compiled once."""

  def first(x, model):
    outputs = model(x)
    return outputs[:, 0].sum(), outputs

  program = _compiled(jax.grad(first, has_aux=True))
  slope, outputs = program(jnp.asarray(images), model)
  return outputs, slope


def _assert_same_gradient(found, expected):
  """As a whole: where a ReLU is at its kink, rounding alone decides single elements."""
  difference = np.linalg.norm(found - expected)
  assert difference <= 1e-3 * np.linalg.norm(expected)
