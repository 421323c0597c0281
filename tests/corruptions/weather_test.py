"""Colour, weather, pixelate and elastic against the reference's libraries, with its own draws."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from references import weather
from references.photographs import photographs
from scipy import stats

from jaxbench import corruptions
from jaxbench.corruptions import edges, elastic
from jaxbench.corruptions.snow import Draws as Flakes

SIZES = {"imagenet": 224, "inception": 224, "tiny": 64, "cifar": 32}
# By operation: largest share of differing bytes by severity from 224 pixels on; in the small
# pictures, of which one byte is 3e-5 at 64 pixels and 1.1e-4 at 32; largest difference. Colours are
# full of exact ties, which the reference's float64 noise decides. One spatter pixel in a million is
# on the other side of a threshold and changes what is around it.
LIMITS = {
  "brightness": ((0.0015, 0.0021, 0.0027, 0.0028, 0.0029), 0.003, 1),
  "saturate": ((0.004, 0.0045, 0.06, 0.015, 0.02), 0.06, 1),
  "pixelate": ((0,) * 5, 0, 0),
  "elastic_transform": ((0.0006, 0.001, 0.001, 0.001, 0.001), 0.003, 3),
  "fog": ((2e-5,) * 5, 1.1e-4, 1),
  "snow": ((2e-5,) * 5, 1.1e-4, 1),
  "spatter": ((2e-4,) * 5, 2e-4, 20),
}
CELLS = [(name, variant) for name in LIMITS for variant in SIZES]


@functools.cache
def _apply(name: str):
  def run(pixels, draws, level):
    exact = corruptions.CORRUPTIONS[name].apply(pixels, draws, level)
    return jnp.floor(jnp.clip(exact, 0, 255)).astype(jnp.uint8)

  return jax.jit(run)


def _drawn(name: str, constants, size: int, random: np.random.RandomState):
  """One draw, as the reference takes it and as ours takes it."""
  if name == "elastic_transform":
    start = np.float32(size)  # The reference adds to corners of about this size, in float32.
    reach = constants[2]
    corners = (start + np.float32(random.uniform(-reach, reach, (3, 2)))) - start
    fields = random.uniform(-1, 1, (2, size, size))
    ours = elastic.Draws(corners, np.float32(fields.transpose(1, 2, 0)))
    return (*constants[:2], corners, fields), ours
  if name == "fog":
    points = random.uniform(-1, 1, (1 << (size - 1).bit_length()) ** 2 - 1)
    cloud = weather.plasma(1 << (size - 1).bit_length(), constants[1], points)
    return (constants[0], cloud), np.float32(points)
  if name in ("snow", "spatter"):
    noise = random.normal(size=(size, size))
    layer = constants[0] + constants[1] * noise
    if name == "spatter":
      return (*constants[2:], layer), np.float32(noise)
    degrees = random.uniform(-135, -45)
    return (*constants[2:], layer, degrees), Flakes(np.float32(noise), np.float32(degrees))
  return constants, ()


def _check(name: str, variant: str, size: int, severities) -> None:
  random = np.random.RandomState(0)
  levels = corruptions.CORRUPTIONS[name].levels(variant, size, size)
  for severity in severities:
    constants = weather.constants(variant, name)[severity]
    level = jax.tree.map(lambda leaf, s=severity: leaf[s], levels)
    found, expected = [], []
    for picture in photographs(size):
      theirs, ours = _drawn(name, constants, size, random)
      expected.append(getattr(weather, name)(picture, *theirs))
      found.append(_apply(name)(jnp.float32(picture), ours, level))
    different = np.abs(np.asarray(found).astype(int) - np.asarray(expected))
    at_224, small, largest = LIMITS[name]
    assert (different > 0).mean() <= (at_224[severity] if size >= 224 else small)
    assert different.max() <= largest


@pytest.mark.usual("*-imagenet", "*-cifar")
@pytest.mark.parametrize(("name", "variant"), CELLS)
def test_an_operation_equals_the_reference(name, variant):
  _check(name, variant, SIZES[variant], range(5))


@pytest.mark.parametrize("name", ["fog", "snow"])
def test_inception_equals_the_reference_at_its_own_size(name):
  """Of the five severities, the one whose flakes are zoomed too large and so trimmed."""
  _check(name, "inception", 299, [3])


def _of_package(name: str, size: int, severity: int, draws, picture) -> np.ndarray:
  levels = corruptions.CORRUPTIONS[name].levels("imagecorruptions", size, size)
  level = jax.tree.map(lambda leaf: leaf[severity], levels)
  return np.asarray(_apply(name)(jnp.float32(picture), draws, level))


def test_the_package_imagecorruptions_keeps_flakes_fine_until_they_have_fallen():
  size, random, picture = 65, np.random.RandomState(0), photographs(65)[1]
  for severity, constants in enumerate(weather.constants("imagenet", "snow")):
    theirs, ours = _drawn("snow", constants, size, random)
    different = _of_package("snow", size, severity, ours, picture) != weather.package_snow(
      picture, *theirs
    )
    assert different.mean() <= 1e-4


def test_the_package_imagecorruptions_does_not_warp_and_scales_with_the_image():
  size, random, picture = 64, np.random.RandomState(0), photographs(64)[0]
  for severity, strength in enumerate((12.5, 16.25, 21.25, 25, 30)):
    constants = (0.005 * size * strength, 0.01 * size, 0)
    theirs, ours = _drawn("elastic_transform", constants, size, random)
    found = _of_package("elastic_transform", size, severity, ours, picture)
    assert (found != weather.elastic_transform(picture, *theirs)).mean() <= 1e-3


@pytest.mark.parametrize("variant", ["imagecorruptions", "cifar"])
def test_pixelate_equals_pillow_at_odd_sizes(variant):
  picture = np.random.default_rng(0).integers(0, 256, (47, 299, 3)).astype(np.uint8)
  levels = corruptions.CORRUPTIONS["pixelate"].levels(variant, 47, 299)
  package = variant == "imagecorruptions"
  up = weather.Image.NEAREST if package else weather.Image.BOX
  for severity, (factor,) in enumerate(
    weather.constants("imagenet" if package else variant, "pixelate")
  ):
    level = jax.tree.map(lambda leaf, s=severity: leaf[s], levels)
    found = _apply("pixelate")(jnp.float32(picture), (), level)
    np.testing.assert_array_equal(found, weather.pixelate(picture, factor, up))


@pytest.mark.parametrize("blur", [0, 2])
def test_edges_and_distances_equal_opencv(blur):
  """Noise makes chains of weak edges long; smooth blobs leave distances beyond the limit."""
  noise = np.random.default_rng(0).normal(size=(64, 90))
  smooth = weather.scipy.ndimage.gaussian_filter(noise, blur)
  plane = np.uint8(np.clip(128 + 60 * smooth / smooth.std(), 0, 255) * (smooth > 0))
  found = _canny()(jnp.int32(plane))
  expected = weather.cv2.Canny(plane, 50, 150)
  np.testing.assert_array_equal(found, expected > 0)
  sparse = np.random.default_rng(1).random(plane.shape) < 0.001
  away = weather.cv2.distanceTransform(np.uint8(~sparse) * 255, weather.cv2.DIST_L2, 5)
  # Fixed point in older versions of OpenCV.
  np.testing.assert_allclose(_distance()(sparse), np.minimum(away, 20), atol=1e-4)


@functools.cache
def _canny():
  return jax.jit(lambda plane: edges.canny(plane, 50, 150))


@functools.cache
def _distance():
  return jax.jit(lambda found: edges.distance(found, 20))


def test_spatter_without_drops_leaves_the_picture_alone():
  picture = photographs(64)[0]
  level = jax.tree.map(
    lambda leaf: leaf[0], corruptions.CORRUPTIONS["spatter"].levels("tiny", 64, 64)
  )
  found = _apply("spatter")(jnp.float32(picture), jnp.full((64, 64), -9.0), level)
  np.testing.assert_array_equal(found, picture)


def _pvalue(values, law: str, *parameters) -> float:
  return stats.kstest(np.ravel(values), law, args=parameters).pvalue


def test_draws_have_the_right_distributions_and_are_independent_between_examples():
  keys = jax.random.split(jax.random.key(5), 400)

  def drawn(name, shape):
    corruption = corruptions.CORRUPTIONS[name]
    level = jax.tree.map(lambda leaf: jnp.asarray(leaf)[4], corruption.levels("tiny", *shape[:2]))
    return jax.vmap(lambda key: corruption.draw(key, shape, level))(keys)

  snow, elastic = drawn("snow", (32, 32, 3)), drawn("elastic_transform", (32, 32, 3))
  assert _pvalue(snow.noise[:9], "norm") > 0.01
  assert _pvalue(snow.degrees, "uniform", -135, 90) > 0.01
  assert _pvalue(drawn("spatter", (32, 32, 3))[:9], "norm") > 0.01
  assert _pvalue(drawn("fog", (32, 32, 3))[:9], "uniform", -1, 2) > 0.01
  reach = 0.02 * 64
  assert _pvalue(elastic.corners, "uniform", -reach, 2 * reach) > 0.01
  assert _pvalue(elastic.fields[:9], "uniform", -1, 2) > 0.01
  for fields in (snow.noise, elastic.fields):
    correlation = np.corrcoef(fields.reshape(400, -1)[:20])
    assert np.abs(correlation - np.eye(20)).max() < 0.2
