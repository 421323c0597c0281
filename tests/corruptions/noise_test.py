"""Noise against numpy in float64 given its draws, and the draws against scipy's distributions."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from references import create_c
from references.photographs import photographs
from scipy import stats

from jaxbench import corruptions

VARIANTS = tuple(create_c.CONSTANTS)


@functools.cache
def _program(name: str):
  apply = corruptions.CORRUPTIONS[name].apply
  return jax.jit(lambda *drawn: jnp.floor(jnp.clip(apply(*drawn), 0, 255)).astype(jnp.uint8))


def _level(name: str, variant: str, severity: int):
  levels = corruptions.CORRUPTIONS[name].levels(variant, 224, 224)
  return jax.tree.map(lambda leaf: leaf[severity], levels)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", ["gaussian_noise", "speckle_noise"])
def test_added_noise_equals_the_reference_given_its_draws(name, variant):
  for severity, deviation in enumerate(create_c.constants(variant, name)):
    pixels = photographs()[severity % 3]
    noise = np.random.default_rng(1).normal(size=pixels.shape, scale=deviation)
    level = _level(name, variant, severity)
    assert level == np.float32(deviation)
    found = np.asarray(_program(name)(jnp.float32(pixels), jnp.float32(noise), level))
    expected = getattr(create_c, name)(pixels, deviation, noise)
    assert (found != expected).mean() <= 4e-5
    assert np.abs(found.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("variant", VARIANTS)
def test_impulse_noise_equals_the_reference_bit_for_bit(variant):
  for severity, amount in enumerate(create_c.constants(variant, "impulse_noise")):
    pixels = photographs()[severity % 3]
    words = np.random.default_rng(2).random((2, *pixels.shape))
    flipped, salted = words[0] < amount, words[1] < 0.5
    level = _level("impulse_noise", variant, severity)
    assert level == np.float32(amount)
    found = _program("impulse_noise")(jnp.float32(pixels), (flipped, salted), level)
    np.testing.assert_array_equal(found, create_c.impulse_noise(pixels, amount, flipped, salted))


@pytest.mark.parametrize("variant", VARIANTS)
def test_shot_noise_has_the_probabilities_of_the_reference(variant):
  """All results of evenly spaced random words, against the mass of the counts behind them."""
  words = np.uint32(np.arange(2**13) * 2**19 + 2**18)
  pixels = jnp.broadcast_to(jnp.arange(256.0)[:, None, None], (256, len(words), 1))
  spread = jnp.broadcast_to(words[None, :, None], pixels.shape)
  for severity, photons in enumerate(create_c.constants(variant, "shot_noise")):
    level = _level("shot_noise", variant, severity)
    found = np.asarray(_program("shot_noise")(pixels, spread, level))[..., 0]
    counts = np.arange(3 * photons + 60)
    rates = np.arange(256)[:, None] / 255 * photons
    expected = np.zeros((256, 256))
    results = create_c.shot_noise(None, photons, counts)
    np.add.at(expected, (slice(None), results), stats.poisson.pmf(counts, rates))
    frequency = np.stack([np.bincount(row, minlength=256) for row in found]) / len(words)
    assert np.abs(frequency - expected).max() < 4e-3  # The columns' thresholds, rounded to words.
    assert np.abs(frequency - expected).mean() < 1e-4
    assert frequency[expected < 1e-12].max() == 0


def test_draws_of_noise_have_the_right_distribution():
  shape, key = (64, 64, 3), jax.random.key(3)
  for name in ("gaussian_noise", "speckle_noise"):
    noise = corruptions.CORRUPTIONS[name].draw(key, shape, jnp.float32(0.18))
    assert stats.kstest(np.ravel(noise) / 0.18, "norm").pvalue > 0.01
  words = np.ravel(corruptions.CORRUPTIONS["shot_noise"].draw(key, shape, None))
  assert stats.kstest(words / 2**32, "uniform").pvalue > 0.01


def test_impulses_are_as_frequent_as_asked_and_half_of_them_white():
  draw = corruptions.CORRUPTIONS["impulse_noise"].draw
  flipped, salted = (np.ravel(x) for x in draw(jax.random.key(0), (224, 224, 3), jnp.float32(0.09)))
  for count, total, share in (
    (flipped.sum(), flipped.size, 0.09),
    (salted.sum(), salted.size, 0.5),
    ((flipped & salted).sum(), flipped.size, 0.045),
  ):
    assert stats.binomtest(int(count), int(total), share).pvalue > 0.01
