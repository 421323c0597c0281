"""Certified l2 radii of a smoothed classifier (Cohen et al., 2019, arXiv:1902.02918, figure 1)."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy

from jaxbench import errors, threefry
from jaxbench.defences.smooth import Smooth

ABSTAINS = -1  # The prediction of whoever does not know.
_MOST = 1 << 30  # Samples, whose counts are int32.


class Certificate(NamedTuple):
  """How much is asked for a certificate; see `certify`."""

  selection: int
  samples: int
  alpha: float


def certificate(
  *, selection: int = 100, samples: int = 100_000, alpha: float = 0.001
) -> Certificate:
  """What a config asks for; arguments and errors are those of `certify`."""
  _check(alpha, selection, samples)
  return Certificate(selection, samples, alpha)


class Certified(NamedTuple):
  """Numpy arrays, one row per image; each is wrong with a probability of alpha at most."""

  prediction: np.ndarray  # [B] int32, or ABSTAINS.
  radius: np.ndarray  # [B] float64, in pixel units: no smaller l2 perturbation changes it; 0 where
  # it abstains.

  def accuracy(self, labels: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """The share that is certified to be right at each of `radii`; who abstains is wrong."""
    right = (self.prediction == labels) & (self.radius > 0)
    return (right & (self.radius > np.asarray(radii)[..., None])).mean(axis=-1)


def certify(
  smoothed: Smooth,
  images: np.ndarray,
  key: jax.Array,
  *,
  selection: int = 100,
  samples: int = 100_000,
  alpha: float = 0.001,
) -> Certified:
  """The class that some samples choose, and the radius that others, independent ones, vouch for.

  Args:
    smoothed: of `defences.smooth`; its own number of samples is not used.
    images: float32 [B, H, W, 3] in [0, 1].
    key: of `jax.random.key`; rows draw by their place.
    selection: samples that choose the class.
    samples: that vouch for it. The largest radius they can is `sigma * Phi^-1(alpha^(1/samples))`.
    alpha: how likely an image's answer may be wrong.

  Raises:
    InputError: a number is out of range.

  Example:
    >>> smoothed = defences.smooth(classifier, sigma=0.25)
    >>> certified = defences.certify(smoothed, images, jax.random.key(0), samples=1000)
    >>> certified.accuracy(labels, [0.1, 0.25, 0.5])
  """
  asked = certificate(selection=selection, samples=samples, alpha=alpha)
  keys = _keys(key, len(images), 2)
  chosen = _counts(smoothed, images, keys[:, 0], selection)
  counts = _counts(smoothed, images, keys[:, 1], samples)
  return certified(asked, smoothed.sigma, chosen, counts)


def certified(
  asked: Certificate, sigma: float, selection: np.ndarray, counts: np.ndarray
) -> Certified:
  """What votes certify.

  Args:
    asked: for.
    sigma: of the noise.
    selection: int32 [B, K], votes that choose a class.
    counts: int32 [B, K], independent ones that vouch for it.
  """
  chosen = selection.argmax(axis=1)
  agreeing = counts[np.arange(len(counts)), chosen]
  share = lower_bound(agreeing, asked.samples, asked.alpha)
  sure = share > 0.5
  radius = np.where(sure, sigma * scipy.stats.norm.ppf(np.where(sure, share, 0.5)), 0.0)
  return Certified(np.where(sure, chosen, ABSTAINS).astype(np.int32), radius)


def predict(
  smoothed: Smooth,
  images: np.ndarray,
  key: jax.Array,
  *,
  samples: int = 1000,
  alpha: float = 0.001,
) -> np.ndarray:
  """int32 [B]: the class that is voted for the most, or ABSTAINS where the second is too near.

  It is not that of endless votes with a probability of alpha at most.

  Args:
    smoothed: of `defences.smooth`.
    images: float32 [B, H, W, 3] in [0, 1].
    key: of `jax.random.key`.
    samples: votes.
    alpha: see above.

  Raises:
    InputError: a number is out of range.
  """
  _check(alpha, samples)
  counts = _counts(smoothed, images, _keys(key, len(images), 1)[:, 0], samples)
  first, second = -np.sort(-counts, axis=1)[:, :2].T
  chance = 2 * scipy.special.bdtr(second, first + second, 0.5)  # Two-sided; above 1 for a tie.
  return np.where(chance <= alpha, counts.argmax(axis=1), ABSTAINS).astype(np.int32)


def lower_bound(agreeing: np.ndarray, samples: int, alpha: float) -> np.ndarray:
  """Of a share, from `agreeing` [B] of `samples`: one-sided, Clopper & Pearson."""
  agreeing = np.asarray(agreeing)
  bound = scipy.stats.beta.ppf(alpha, np.maximum(agreeing, 1), samples - agreeing + 1)
  return np.where(agreeing > 0, bound, 0.0)


def _check(alpha: float, *samples: int) -> None:
  if not 0 < alpha < 1 or not all(1 <= count < _MOST for count in samples):
    raise errors.InputError(
      f"certificates need 0 < alpha < 1 and at least one sample, not alpha={alpha}, {samples}"
    )


def _keys(key: jax.Array, images: int, each: int) -> jax.Array:
  """Keys [images, each], by place."""
  rows = jax.vmap(functools.partial(jax.random.fold_in, threefry.quick(key)))(jnp.arange(images))
  return jax.vmap(lambda row: jax.random.split(row, each))(rows)


def votes(smoothed: Smooth, images: jax.Array, keys: jax.Array, samples: int) -> jax.Array:
  """int32 [B, K]: how often images [B, H, W, 3] are taken for each class, by noise of keys [B]."""

  def vote(counts: jax.Array, sample: jax.Array) -> tuple[jax.Array, None]:
    def one(image: jax.Array, key: jax.Array) -> jax.Array:
      key = jax.random.fold_in(key, sample)
      return smoothed.answer(smoothed.noised(image, key), key).argmax()

    winners = jax.vmap(one)(images, keys)
    return counts.at[jnp.arange(len(images)), winners].add(1), None

  classes = jax.eval_shape(smoothed, images).shape[-1]
  none = jnp.zeros((len(images), classes), jnp.int32)
  return jax.lax.scan(vote, none, jnp.arange(samples))[0]


@functools.partial(jax.jit, static_argnums=3)
def _program(smoothed: Smooth, images: jax.Array, keys: jax.Array, samples: int) -> jax.Array:
  with jax.default_matmul_precision("highest"):
    return votes(smoothed, images, keys, samples)


def _counts(smoothed: Smooth, images: np.ndarray, keys: jax.Array, samples: int) -> np.ndarray:
  """Votes int32 [B, K]."""
  return np.asarray(_program(smoothed, jnp.asarray(images, jnp.float32), keys, samples))
