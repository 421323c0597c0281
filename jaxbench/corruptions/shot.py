"""Shot noise: photons counted (Hendrycks & Dietterich, 2019; constants of its code).

A pixel's Poisson rate takes 256 values only, and its result too. So each has its table for the
alias method (Walker, 1977): one look-up per value, where jax.random.poisson needs a loop.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import scipy

from jaxbench.corruptions.base import Corruption, Level, of_variant

_PHOTONS = {  # That white sends on average.
  "imagenet": (60, 25, 12, 5, 3),
  "tiny": (250, 100, 50, 30, 15),
  "cifar": (500, 250, 100, 75, 50),
  "inception": (50, 20, 10, 5, 3),
}
_THRESHOLD_BITS = 24


def probabilities(photons: int) -> tuple[np.ndarray, np.ndarray]:
  """What becomes of each of the 256 pixel values.

  Args:
    photons: that white sends on average; more than that are white too.

  Returns:
    The results, uint8 [R], and their probabilities, float64 [256, R].
  """
  counts = np.arange(photons + 1)
  outcomes = np.uint8(counts / float(photons) * 255)  # The reference's float64, not whole numbers.
  rates = np.arange(256)[:, None] / 255 * photons
  special = scipy.special  # To the bit as `scipy.stats.poisson`, which imports for half a second.
  fewer = counts[:-1]
  each = np.exp(special.xlogy(fewer, rates) - special.gammaln(fewer + 1) - rates)
  mass = np.concatenate([each, special.pdtrc(photons - 1, rates)], axis=1)
  results, first = np.unique(outcomes, return_index=True)
  return results, np.add.reduceat(mass, first, axis=1)


def _alias(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Alias tables of the rows of [256, N], each of sum N: share kept, and who has the rest."""
  share, other = np.ones(weights.shape), np.tile(np.arange(weights.shape[1]), (len(weights), 1))
  left, rows, open_ = weights.copy(), np.arange(len(weights)), np.ones(weights.shape, bool)
  for _ in range(weights.shape[1] - 1):
    poor = np.where(open_, left, np.inf).argmin(axis=1)
    rich = np.where(open_, left, -np.inf).argmax(axis=1)
    share[rows, poor], other[rows, poor] = left[rows, poor], rich
    left[rows, rich] -= 1 - left[rows, poor]
    open_[rows, poor] = False
  return share, other


@functools.cache
def alias_table(photons: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
  """uint32 [256, columns], threshold and other result, and uint32 [columns], own result."""
  results, mass = probabilities(photons)
  missing = columns - len(results)
  results = np.pad(results, (0, missing)).astype(np.uint32)
  share, other = _alias(np.pad(mass, ((0, 0), (0, missing))) * columns)
  threshold = np.clip(np.rint(share * 2**_THRESHOLD_BITS), 0, 2**_THRESHOLD_BITS - 1)
  return threshold.astype(np.uint32) << 8 | results[other], results


def _levels(variant: str, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
  photons = of_variant(_PHOTONS, variant)
  columns = 64 if max(photons) < 64 else 256
  tables, results = zip(*(alias_table(count, columns) for count in photons), strict=True)
  return np.stack(tables), np.stack(results)


def _draw_words(key: jax.Array, shape: tuple[int, ...], level: Level) -> jax.Array:
  return jax.random.bits(key, shape)


def _count(pixels: jax.Array, words: jax.Array, level: Level) -> jax.Array:
  table, results = level
  bits = table.shape[1].bit_length() - 1
  column = words >> jnp.uint32(32 - bits)
  entry = table.ravel()[pixels.astype(jnp.uint32) << jnp.uint32(bits) | column]
  coin = words << jnp.uint32(bits) >> jnp.uint32(32 - _THRESHOLD_BITS)
  keeps = coin < entry >> jnp.uint32(8)
  return jnp.where(keeps, results[column], entry & jnp.uint32(255)).astype(pixels.dtype)


shot_noise = Corruption(_draw_words, _count, _levels)
