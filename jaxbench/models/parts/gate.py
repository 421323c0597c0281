"""Squeeze and excitation (Hu et al., 2018, arXiv:1709.01507)."""

import jax
from flax import nnx

from jaxbench.models.parts.layers import Linear


class Gate(nnx.Module):
  """A factor per channel, from the mean over positions."""

  def __init__(self, channels: int, squeezed: int, *, rngs: nnx.Rngs):
    self.fc1 = Linear(channels, squeezed, rngs=rngs)
    self.fc2 = Linear(squeezed, channels, rngs=rngs)

  def __call__(self, x: jax.Array) -> jax.Array:
    """float [B, H, W, C] -> the same shape."""
    factor = self.fc2(jax.nn.relu(self.fc1(x.mean(axis=(1, 2)))))
    return x * jax.nn.sigmoid(factor)[:, None, None]
