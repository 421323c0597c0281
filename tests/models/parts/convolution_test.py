"""Against JAX's own function and torch's, at shapes that choose each piece of code."""

import functools
from typing import Any, NamedTuple

import flax.linen
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from jax import lax

from jaxbench.models.parts import convolution_cpu
from jaxbench.models.parts.convolution import conv_general_dilated

DIMENSIONS = ("NHWC", "HWIO", "NHWC")


class Case(NamedTuple):
  code: Any
  image: tuple[int, ...]
  kernel: tuple[int, ...]
  strides: tuple[int, int] = (1, 1)
  padding: Any = "SAME"
  groups: int = 1
  dilation: tuple[int, int] = (1, 1)

  def convolve(self, function, image, kernel):
    return function(
      image,
      kernel,
      self.strides,
      self.padding,
      rhs_dilation=self.dilation,
      dimension_numbers=DIMENSIONS,
      feature_group_count=self.groups,
    )

  def arrays(self, dtype=jnp.float32):
    """The image, the kernel and what is fed back."""
    random = np.random.default_rng(0)
    image, kernel = (jnp.asarray(random.normal(size=s), dtype) for s in (self.image, self.kernel))
    shape = jax.eval_shape(
      functools.partial(self.convolve, lax.conv_general_dilated), image, kernel
    )
    return image, kernel, jnp.asarray(random.normal(size=shape.shape), dtype)


_CPU = convolution_cpu
CASES = {
  "depthwise": Case(_CPU.DEPTHWISE, (2, 5, 6, 4), (3, 3, 1, 4), groups=4),
  "strided": Case(_CPU.DEPTHWISE, (2, 7, 6, 4), (5, 5, 1, 4), (2, 2), ((2, 2), (2, 2)), 4),
  "asymmetric": Case(_CPU.DEPTHWISE, (1, 9, 7, 4), (3, 2, 1, 4), (3, 2), ((4, 1), (0, 3)), 4),
  "cut": Case(_CPU.DEPTHWISE, (1, 8, 8, 4), (3, 3, 1, 4), (2, 1), ((-1, 1), (0, -2)), 4),
  "dilated": Case(_CPU.DEPTHWISE, (1, 7, 8, 4), (3, 3, 1, 4), (1, 1), "VALID", 4, (2, 3)),
  "grouped": Case(_CPU.GROUPED, (2, 5, 5, 64), (3, 3, 4, 32), (2, 2), "SAME", 16),
  "few in groups": Case(_CPU.GROUPED, (1, 6, 5, 6), (3, 3, 2, 9), (1, 1), "SAME", 3, (2, 2)),
  "a prime number of groups": Case(_CPU.GROUPED, (1, 5, 6, 28), (3, 3, 4, 42), (2, 1), "SAME", 7),
  "multiplied": Case(_CPU.DEPTHWISE, (1, 5, 5, 4), (3, 3, 1, 8), groups=4),
  "product": Case(_CPU.PRODUCT, (2, 6, 6, 256), (3, 3, 256, 8), (2, 2), ((1, 1), (1, 1))),
  "larger than its map": Case(_CPU.PRODUCT, (2, 2, 3, 5), (3, 3, 5, 4), (1, 1), "SAME"),
  "larger than what it makes": Case(_CPU.PRODUCT, (1, 7, 6, 3), (3, 5, 3, 4), (2, 2), "SAME"),
  "image": Case(_CPU.IMAGE, (2, 17, 16, 3), (7, 7, 3, 4), (2, 2), ((3, 3), (3, 3))),
  "same image": Case(_CPU.IMAGE, (2, 14, 15, 3), (7, 7, 3, 4), (2, 2)),
  "left to XLA": Case(None, (1, 5, 5, 3), (3, 3, 3, 4)),
  "strided and dilated": Case(None, (1, 9, 9, 4), (3, 3, 1, 4), (2, 2), "SAME", 4, (2, 2)),
}
each_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def _close(found, expected, tolerance=1e-5):
  """As a share of the largest."""
  assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
  found, expected = np.asarray(found, np.float32), np.asarray(expected, np.float32)
  np.testing.assert_allclose(found, expected, atol=tolerance * np.abs(expected).max(), rtol=0)


@each_case
def test_the_code_is_that_of_the_shapes(case, monkeypatch):
  chosen = []
  choose = convolution_cpu.choose
  monkeypatch.setattr(
    convolution_cpu, "choose", lambda *shapes: chosen.append(choose(*shapes)) or chosen[-1]
  )
  image, kernel, _ = case.arrays()
  jax.eval_shape(functools.partial(case.convolve, conv_general_dilated), image, kernel)
  assert chosen[0] is case.code


@each_case
def test_the_same_numbers_and_gradients_as_xla(case):
  image, kernel, fed_back = case.arrays()

  @functools.partial(jax.jit, static_argnums=0)
  def both(function, *primals):
    y, pull = jax.vjp(functools.partial(case.convolve, function), *primals)
    return y, *pull(fed_back)

  expected = both(lax.conv_general_dilated, image, kernel)
  for found, wanted in zip(both(conv_general_dilated, image, kernel), expected, strict=True):
    _close(found, wanted)


@pytest.mark.parametrize("name", ["strided", "grouped", "product", "larger than its map", "image"])
def test_the_same_numbers_as_torch(name):
  case = CASES[name]
  image, kernel, fed_back = case.arrays()
  y, pull = jax.vjp(functools.partial(case.convolve, conv_general_dilated), image, kernel)
  pixels, weights = (
    torch.tensor(np.asarray(x).transpose(axes), requires_grad=True)
    for x, axes in ((image, (0, 3, 1, 2)), (kernel, (3, 2, 0, 1)))
  )
  padding = case.padding
  if padding == "SAME":
    padding = lax.padtype_to_pads(case.image[1:3], case.kernel[:2], case.strides, padding)
  (top, bottom), (left, right) = padding
  padded = torch.nn.functional.pad(pixels, (left, right, top, bottom))
  expected = torch.nn.functional.conv2d(
    padded, weights, stride=case.strides, dilation=case.dilation, groups=case.groups
  )
  expected.backward(torch.tensor(np.asarray(fed_back).transpose(0, 3, 1, 2)))
  by_image, by_kernel = pull(fed_back)
  _close(y, expected.detach().numpy().transpose(0, 2, 3, 1))
  _close(by_image, pixels.grad.numpy().transpose(0, 2, 3, 1))
  _close(by_kernel, weights.grad.numpy().transpose(2, 3, 1, 0))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["strided", "grouped", "product", "image"])
def test_half_precision_is_rounded_once(name):
  case = CASES[name]
  image, kernel, fed_back = case.arrays(jnp.bfloat16)
  y, pull = jax.vjp(functools.partial(case.convolve, conv_general_dilated), image, kernel)
  wide = [x.astype(jnp.float32) for x in (image, kernel, fed_back)]
  exact, pull_exact = jax.vjp(functools.partial(case.convolve, lax.conv_general_dilated), *wide[:2])
  for found, wanted in zip((y, *pull(fed_back)), (exact, *pull_exact(wide[2])), strict=True):
    _close(found, wanted.astype(jnp.bfloat16), 2**-8)


@pytest.mark.parametrize("name", ["strided", "grouped", "product", "image"])
def test_one_example_mapped_is_the_batch(name):
  case = CASES[name]
  image, kernel, fed_back = case.arrays()

  def gradient(function, image, fed_back):
    return jax.vjp(lambda x: case.convolve(function, x, kernel), image)[1](fed_back)[0]

  one = jax.vmap(lambda x, y: gradient(conv_general_dilated, x[None], y[None])[0])
  _close(jax.jit(one)(image, fed_back), gradient(lax.conv_general_dilated, image, fed_back))


def test_kernels_of_their_own_under_vmap():
  case = CASES["strided"]
  image, kernel, _ = case.arrays()
  kernels = jnp.stack([kernel, 2 * kernel])
  found = jax.vmap(lambda one: case.convolve(conv_general_dilated, image, one))(kernels)
  _close(found, jnp.stack([case.convolve(lax.conv_general_dilated, image, k) for k in kernels]))


def test_other_platforms_keep_xlas_own():
  case = CASES["strided"]
  image, kernel, fed_back = case.arrays()
  programs = []
  for function in (conv_general_dilated, lax.conv_general_dilated):

    def gradients(x, k, function=function):
      return jax.vjp(functools.partial(case.convolve, function), x, k)[1](fed_back)

    lowered = jax.jit(gradients).trace(image, kernel).lower(lowering_platforms=("tpu",))
    programs.append(lowered.as_text().count("stablehlo.convolution"))
  assert programs[0] == programs[1] > 0


def test_a_flax_module_takes_it():
  image = CASES["strided"].arrays()[0]
  modules = [
    flax.linen.Conv(4, (5, 5), feature_group_count=4, **options)
    for options in ({}, {"conv_general_dilated": conv_general_dilated})
  ]
  weights = modules[0].init(jax.random.key(0), image)
  _close(*(module.apply(weights, image) for module in modules))


def test_other_layouts_are_left_to_jax():
  image, kernel = jnp.ones((1, 4, 5, 5)), jnp.ones((4, 1, 3, 3))
  found = conv_general_dilated(image, kernel, (1, 1), "SAME", feature_group_count=4)
  assert found.shape == (1, 4, 5, 5)


@pytest.mark.parametrize(("groups", "inputs", "merged"), [(32, 4, 8), (37, 24, 1), (16, 56, 1)])
def test_groups_are_merged_while_that_costs_nothing(groups, inputs, merged):
  assert _CPU._merged(groups, inputs) == merged
