"""Images of 8 bits: the nearest that are no farther from the clean image than what they stand for.

So what is inside a ball stays inside, whatever its radius. Images are one [H, W, 3] float32 in
[0, 1]; the clean one should be of 8 bits itself, or there may be no such image.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxbench.attacks.parts import roots

Quantize = Callable[[jax.Array, jax.Array], jax.Array]  # (clean, image) -> image

SPACING = 1 / 255
_SLACK = 1e-4  # Levels: what the rounding of float32 takes off a whole number of them.
_SPARE = 1e-5  # Share of a sum over all pixels, likewise.
_GOLDEN = 0.618034  # Its multiples, modulo 1, are spread evenly.


def _levels(image: jax.Array) -> jax.Array:
  levels, whole = 255 * image, jnp.round(255 * image)
  return jnp.where(jnp.abs(levels - whole) < _SLACK, whole, levels)


def _image(levels: jax.Array, clean: jax.Array) -> jax.Array:
  """What has not changed stays as it is to the last bit."""
  return jnp.where(levels == _levels(clean), clean, levels / 255)


def by_largest_change(clean: jax.Array, image: jax.Array) -> jax.Array:
  """In linf: each pixel by itself, to the nearest level in reach."""
  levels, origin = _levels(image), _levels(clean)
  reach = jnp.abs(levels - origin).max() + _SLACK
  inside = jnp.clip(jnp.round(levels), jnp.ceil(origin - reach), jnp.floor(origin + reach))
  return _image(inside, clean)


def by_total(size: Callable[[jax.Array], jax.Array]) -> Quantize:
  """The quantization of a norm that adds pixels up.

  Pixels go to the level towards the clean image, but for those nearest to the level beyond, as many
  as the size of the whole change allows.
  """

  def quantize(clean: jax.Array, image: jax.Array) -> jax.Array:
    levels, origin = _levels(image), _levels(clean)
    lower, upper = jnp.floor(levels), jnp.ceil(levels)
    descends = jnp.abs(lower - origin) <= jnp.abs(upper - origin)
    near, far = jnp.where(descends, lower, upper), jnp.where(descends, upper, lower)
    # Pixels alike in all would all stay: a small share of their number parts them.
    order = jnp.arange(image.size, dtype=jnp.float32).reshape(image.shape) * _GOLDEN
    progress = jnp.abs(levels - near) + _SLACK * (order - jnp.floor(order))
    most = (1 - _SPARE) * size(levels - origin)
    least = roots.smallest(
      lambda least: size(jnp.where(progress > least, far, near) - origin) <= most
    )
    return _image(jnp.where(progress > least, far, near), clean)

  return quantize
