"""Views of an image, and how certain a classifier is of each."""

import functools

import jax
import jax.numpy as jnp

from jaxbench.defences import augmix, base
from jaxbench.defences.base import Defence

_AREA, _RATIO = (0.08, 1.0), (3 / 4, 4 / 3)  # Of the boxes that views are cut from.
_MIX = 1  # What the key of a crop is folded with, to mix it.


def of(image: jax.Array, key: jax.Array, count: int, *, mix: bool = False) -> jax.Array:
  """[V, H, W, 3]: the image [H, W, 3] itself, and random crops of it, mixed by AugMix or not."""
  keys = jax.random.split(key, count - 1)
  cut = jax.vmap(functools.partial(resized_crop, image))(keys)
  if mix:
    draws = jax.vmap(lambda key: augmix.draw(jax.random.fold_in(key, _MIX)))(keys)
    cut = jax.lax.map(lambda one: augmix.mixed(*one), (cut, draws))
  return jnp.concatenate([image[None], cut])


def features(defence: Defence, shown: jax.Array) -> jax.Array:
  """[V, D] of views [V, H, W, 3], one after another, for the memory of their gradient."""
  return jax.lax.map(jax.checkpoint(defence.encoded, prevent_cse=False), shown)


def entropies(logits: jax.Array) -> jax.Array:
  """[V] of logits [V, K]."""
  logs = jax.nn.log_softmax(logits)
  return -(jnp.exp(logs) * logs).sum(axis=-1)


def resized_crop(image: jax.Array, key: jax.Array) -> jax.Array:
  """A box of the image [H, W, 3] of random size, shape and place, at full size, mirrored or not.

  As torchvision's RandomResizedCrop, but that boxes which do not fit are cut to what does.
  """
  sizes, places, mirrored = jax.random.split(key, 3)
  share, ratio = jax.random.uniform(sizes, (2,))
  sides = jnp.array(image.shape[:2], jnp.float32)
  area = (_AREA[0] + (_AREA[1] - _AREA[0]) * share) * sides.prod()
  low, high = jnp.log(jnp.array(_RATIO, jnp.float32))
  ratio = jnp.exp(low + (high - low) * ratio)
  box = jnp.clip(jnp.round(jnp.sqrt(area * jnp.array([1 / ratio, ratio]))), 1, sides)
  corner = jnp.floor(jax.random.uniform(places, (2,)) * (sides - box + 1))
  scale = sides / box
  cut = jax.image.scale_and_translate(image, image.shape, (0, 1), scale, -corner * scale, "linear")
  cut = base.bounded(cut, 0.0, 1.0)
  return jnp.where(jax.random.bernoulli(mirrored), cut[:, ::-1], cut)
