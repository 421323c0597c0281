"""Many images in the style of many paintings, over all devices of this host."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxbench import devices
from jaxbench.stylize.adain import AdaIN, stylize


def render(
  network: devices.Replicated, images: np.ndarray, paintings: np.ndarray, slots: int
) -> np.ndarray:
  """Each image in the style of its painting.

  Args:
    network: an AdaIN, replicated.
    images: uint8 [N, H, W, 3].
    paintings: uint8 [N, h, w, 3].
    slots: examples per device and batch.

  Returns:
    uint8 [N, H, W, 3].

  Raises:
    InputError: see `stylize`.
  """
  batches = devices.stream(_program(), network, (images, paintings), slots)
  return np.concatenate([batch.fetch() for batch in batches])


@functools.cache
def _program() -> Callable[..., Any]:
  def on_8_bits(network: AdaIN, images: jax.Array, paintings: jax.Array) -> jax.Array:
    pair = (x.astype(jnp.float32) / 255 for x in (images, paintings))
    stylized = jax.vmap(stylize, in_axes=(None, 0, 0))(network, *pair)
    return jnp.rint(stylized * 255).astype(jnp.uint8)

  return devices.shard(on_8_bits)
