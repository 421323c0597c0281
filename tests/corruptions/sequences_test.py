"""Every frame against the reference's libraries, on a photograph; draws are ours, given to both."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from references import create_c, create_p
from references.photographs import photographs
from scipy import stats

from jaxbench import corruptions, errors
from jaxbench.corruptions import sequences
from jaxbench.corruptions.shot import probabilities

WHOLE, SIZE = 40, 32
KEY = jax.random.key(3)
# Largest shares of differing bytes over all frames, at 224 pixels and of small pictures: in flat or
# evenly rising areas many values are exact ties, which the last digit of the reference's float64
# decides.
LIMITS = {
  "motion_blur": (3e-5, 1e-4),
  "zoom_blur": (1e-3, 2e-3),
  "brightness": (3e-3, 5e-3),
  "translate": (0, 0),
  "rotate": (5e-5, 6e-4),
  "tilt": (1e-4, 2e-4),
  "scale": (0.015, 0.02),
  "gaussian_blur": (5e-3, 5e-3),
  "shear": (3e-3, 0.01),
}
LARGEST = {"tilt": 8}  # Where a position is rounded to the next 32nd of a pixel.


@functools.cache
def _program(name: str, size: int | None, variant: str = "imagenet"):
  return jax.jit(
    lambda key, image: corruptions.sequence(key, image, name, size=size, variant=variant)
  )


def _frames(name: str, picture, size: int | None = None, variant: str = "imagenet"):
  found = _program(name, size, variant)(KEY, jnp.float32(picture) / 255)
  np.testing.assert_allclose(found * 255, np.rint(found * 255), atol=1e-4)
  return np.rint(np.asarray(found) * 255).astype(int)


def _assert_same(name: str, found, expected):
  difference = np.abs(found - np.stack(list(expected)))
  assert (difference > 0).mean() <= LIMITS[name][found.shape[1] < 224]
  assert difference.max() <= LARGEST.get(name, 1)


@pytest.mark.parametrize("name", create_p.FRAMES)
def test_frames_are_the_references(name):
  picture = photographs(WHOLE)[0]
  _assert_same(name, _frames(name, picture, SIZE), create_p.FRAMES[name](picture, SIZE))


@pytest.mark.slow
@pytest.mark.parametrize("name", create_p.FRAMES)
def test_frames_are_the_references_at_224_pixels(name):
  picture = photographs(256)[1]
  _assert_same(name, _frames(name, picture, 224), create_p.FRAMES[name](picture, 224))


@pytest.mark.parametrize("name", create_p.CIFAR)
def test_frames_of_small_images_are_the_references(name):
  picture = photographs(SIZE)[1]
  found = _frames(name, picture, variant="cifar")
  _assert_same(name, found, create_p.CIFAR[name](picture, SIZE))


def _normal(key, shape):
  with jax.threefry_partitionable(False):
    return np.asarray(jax.random.normal(key, shape), np.float64)


def test_snow_turns_as_imagemagick_turns_it():
  picture = photographs(SIZE)[1]
  layer = 0.05 + 0.3 * _normal(KEY, (SIZE, SIZE))
  expected = np.stack(list(create_p.snow(picture, layer, 3, 14, 4)))
  difference = np.abs(_frames("snow", picture) - expected)
  assert np.ptp(expected.astype(int), axis=0).mean() > 1  # Flakes move.
  assert (difference > 0).mean() <= 2e-4
  assert difference.max() <= 1


@pytest.mark.parametrize(
  ("variant", "constants"),
  [
    ("imagenet", (0.65, 0.27, 3.7, 0.69, [0.05, 0.1, 0.15, 0.7])),
    ("cifar", (0.6, 0.265, 1.75, 0.7, [0.2, 0.8])),
  ],
)
def test_drops_run_as_numpy_convolves_them(variant, constants):
  """As long as there are any: without, the reference divides by zero."""
  picture = photographs(SIZE)[0]
  mean, deviation, *rest = constants
  layer = mean + deviation * _normal(KEY, (SIZE, SIZE))
  expected = np.stack(list(create_p.spatter(picture, layer, *rest, frames=12)))
  difference = np.abs(_frames("spatter", picture, variant=variant)[:12] - expected)
  assert (difference > 0).mean() <= 1e-3


@pytest.mark.parametrize("name", ["gaussian_noise", "speckle_noise"])
def test_noise_is_new_in_each_frame_after_a_clean_one(name):
  picture = photographs(SIZE)[0]
  found = _frames(name, picture)
  np.testing.assert_array_equal(found[0], picture)
  deviation = {"gaussian_noise": 0.03, "speckle_noise": 0.05}[name]
  draws = [deviation * _normal(jax.random.fold_in(KEY, i), picture.shape) for i in range(1, 31)]
  expected = np.stack([getattr(create_c, name)(picture, deviation, noise) for noise in draws])
  difference = np.abs(found[1:] - expected)
  assert (difference > 0).mean() <= 1e-4
  assert np.abs(np.corrcoef(np.reshape(draws, (30, -1))) - np.eye(30)).max() < 0.1


def test_shot_noise_counts_photons():
  picture = np.full((SIZE, SIZE, 3), 100, np.uint8)
  found = _frames("shot_noise", picture)
  np.testing.assert_array_equal(found[0], picture)
  counts = np.arange(400)
  expected = np.bincount(
    np.uint8(255 * np.clip(counts / 300, 0, 1)),
    stats.poisson.pmf(counts, 100 / 255 * 300),
    minlength=256,
  )
  seen = np.bincount(found[1:].ravel(), minlength=256)
  likely = expected * seen.sum() > 5
  assert seen[expected == 0].sum() == 0
  assert (
    stats.chisquare(
      seen[likely], expected[likely] / expected[likely].sum() * seen[likely].sum()
    ).pvalue
    > 1e-3
  )
  results, mass = probabilities(300)
  np.testing.assert_allclose(mass[100], expected[results], atol=1e-12)


@pytest.mark.parametrize(
  ("name", "still"),
  [("zoom_blur", 0), ("translate", 20), ("rotate", 15), ("scale", 24), ("shear", 15)],
)
def test_the_frame_without_change_is_the_centre_of_the_image(name, still):
  picture = photographs(WHOLE)[0]
  np.testing.assert_array_equal(_frames(name, picture, SIZE)[still], create_p.centre(picture, SIZE))


def test_what_lies_beyond_a_frame_comes_into_view_and_black_beyond_the_image():
  picture = np.full((WHOLE, WHOLE, 3), 200, np.uint8)
  within, beyond = _frames("translate", picture, SIZE), _frames("translate", picture)
  assert within[16].min() == 200  # Four pixels to the left: that much is there.
  assert (within[15][:, -1] == 0).all()
  assert (beyond[19][:, -1] == 0).all()
  assert beyond[20].min() == 200


@pytest.mark.parametrize("variant", sequences.VARIANTS)
def test_there_are_as_many_frames_as_in_the_reference(variant):
  other = {("imagenet", "translate"): 41, ("inception", "translate"): 41}
  other |= {("cifar", "translate"): 16, ("cifar", "motion_blur"): 21}
  for name in corruptions.SEQUENCES + corruptions.EXTRA_SEQUENCES:
    if (name, variant) != ("motion_blur", "tiny"):
      made = corruptions.film(name, 48, 48, variant=variant)
      assert made.length == other.get((variant, name), 31)
      assert made.is_noise == ("noise" in name)


@pytest.mark.parametrize("name", ["gaussian_noise", "zoom_blur"])
def test_a_film_of_a_batch_gives_the_same_frames_one_by_one(name):
  images = jnp.float32(photographs(WHOLE)) / 255
  keys = jax.random.split(KEY, 3)
  film = corruptions.film(name, WHOLE, WHOLE, size=SIZE)
  state = jax.jit(jax.vmap(film.start))(keys, images)
  advance = jax.jit(jax.vmap(film.frame, (0, None)))
  expected = _program(name, SIZE)(keys[1], images[1])
  for index in range(4):
    state, frames = advance(state, jnp.int32(index))
    np.testing.assert_array_equal(frames[1], expected[index])


def test_difficult_noise_is_stronger_and_other_frames_stay():
  image = jnp.float32(photographs(SIZE)[0]) / 255
  films = {
    (name, level): corruptions.film(name, SIZE, SIZE, difficulty=level)
    for name in ("gaussian_noise", "brightness")
    for level in (1, 3)
  }
  second = {
    key: np.asarray(film.frame(film.start(KEY, image), jnp.int32(1))[1])
    for key, film in films.items()
  }
  noise = [np.abs(second["gaussian_noise", level] - image).mean() for level in (1, 3)]
  assert noise[1] > 2 * noise[0]
  np.testing.assert_array_equal(second["brightness", 1], second["brightness", 3])


def test_gradients_pass_through_frames():
  def total(image):
    film = corruptions.film("rotate", SIZE, SIZE)
    return film.frame(film.start(KEY, image), jnp.int32(9))[1].sum()

  gradient = jax.jit(jax.grad(total))(jnp.float32(photographs(SIZE)[0]) / 255)
  assert gradient[SIZE // 2, SIZE // 2] == pytest.approx(np.ones(3), abs=0.3)


def test_bad_input_is_one_clear_line():
  image = jnp.zeros((SIZE, SIZE, 3))
  for arguments, message in (
    ({"name": "tild"}, "Did you mean 'tilt'"),
    ({"name": "tilt", "variant": "imagecorruptions"}, "unknown variant of sequences"),
    ({"name": "tilt", "difficulty": 4}, "difficulty must be 1, 2 or 3"),
    ({"name": "tilt", "im_round": "up"}, "unknown im_round"),
    ({"name": "tilt", "size": 33}, "frames of 33 pixels cannot be cut from 32 x 32"),
    ({"name": "motion_blur", "variant": "tiny"}, "no motion_blur"),
    ({"name": "tilt", "image": image.astype(jnp.uint8)}, "must be float32"),
    ({"name": "tilt", "image": image[None]}, "vmap over a batch"),
  ):
    with pytest.raises(errors.InputError, match=message):
      corruptions.sequence(KEY, **{"image": image} | arguments)
