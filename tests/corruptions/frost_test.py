"""Frost: its photographs, its bytes, and what it says when there are none."""

import importlib.util

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from references import weather
from references.photographs import photographs
from scipy import stats

from jaxbench import corruptions, errors
from jaxbench.corruptions import resize, textures
from jaxbench.corruptions.frost import Draws

FILES = {"frost1.png": 96, "frost2.png": 90, "frost3.png": 90, "frost4.jpg": 71, "frost5.jpg": 120}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
  """Small photographs of our own under the reference's names."""
  path = tmp_path_factory.mktemp("frost")
  for name, side in FILES.items():
    Image.fromarray(photographs(side)[0][: side - 3]).save(path / name)
  return path


def _frost(made, variant: str, size: int):
  """A program of the draws and the severity, and the photographs as OpenCV reads them."""
  corruption = corruptions.CORRUPTIONS["frost"]
  levels = jax.tree.map(jnp.asarray, corruption.levels(variant, size, size))
  made = jax.tree.map(jnp.asarray, made)

  def run(pixels, draws, severity):
    level = jax.tree.map(lambda leaf: leaf[severity], levels)
    return corruption.apply(pixels, draws, (level, made))

  return jax.jit(run)


@pytest.mark.parametrize(("variant", "factor"), [("imagenet", 1), ("tiny", 0.3), ("cifar", 0.2)])
def test_frost_equals_the_reference_bit_for_bit(folder, variant, factor):
  size = round(64 * factor)
  made = corruptions.frost_textures(folder, variant=variant, height=size, width=size)
  run, picture, random = _frost(made, variant, size), photographs(size)[1], np.random.RandomState(0)
  for which, name in enumerate(FILES):
    photograph = cv2.imread(str(folder / name))
    if factor < 1:
      photograph = cv2.resize(photograph, (0, 0), fx=factor, fy=factor)
    row, column = (random.randint(0, side - size) for side in photograph.shape[:2])
    crop = photograph[row : row + size, column : column + size, ::-1]
    for severity, constants in enumerate(weather.constants(variant, "frost")):
      found = run(jnp.float32(picture), Draws(which, row, column), severity)
      np.testing.assert_array_equal(found, weather.frost(picture, *constants, crop))


def test_photographs_are_enlarged_as_imagecorruptions_does(folder):
  made = corruptions.frost_textures(folder, variant="imagecorruptions", height=80, width=64)
  for pixels, size, name in zip(made.pixels, made.sizes, FILES, strict=True):
    photograph = cv2.imread(str(folder / name))
    factor = 1.1 * max(1, 80 / photograph.shape[0])
    height, width = (int(np.ceil(side * factor)) for side in photograph.shape[:2])
    assert tuple(size) == (height, width)
    expected = cv2.resize(photograph, (width, height), interpolation=cv2.INTER_CUBIC)[..., ::-1]
    different = np.abs(pixels[:height, :width].astype(int) - expected)
    assert different.max() <= 1  # OpenCV with Intel's IPP has another cubic.
    assert (different > 0).mean() < 0.1


def test_linear_resize_equals_opencv():
  picture = photographs(95)[2]
  for factor in (0.2, 0.3, 0.7):
    expected = cv2.resize(picture, (0, 0), fx=factor, fy=factor)
    np.testing.assert_array_equal(resize.linear(picture, factor), expected)


def test_crops_are_uniform_and_stay_inside(folder):
  made = corruptions.frost_textures(folder, height=60, width=60)
  corruption = corruptions.CORRUPTIONS["frost"]
  level = (None, jax.tree.map(jnp.asarray, made))
  keys = jax.random.split(jax.random.key(0), 2000)
  draws = jax.vmap(lambda key: corruption.draw(key, (60, 60, 3), level))(keys)
  counts = np.bincount(draws.which, minlength=5)
  assert stats.chisquare(counts).pvalue > 0.01
  room = made.sizes[draws.which] - 60
  assert (draws.row >= 0).all()
  assert (draws.row < room[:, 0]).all()
  assert (draws.column < room[:, 1]).all()
  first = np.asarray(draws.column)[np.asarray(draws.which) == 0]
  assert stats.chisquare(np.bincount(first, minlength=36)).pvalue > 0.01


def test_procedural_frost_is_always_the_same_and_in_no_average():
  textures.procedural_textures.cache_clear()
  first = textures.procedural_textures("imagenet", 40, 48)
  textures.procedural_textures.cache_clear()
  np.testing.assert_array_equal(
    first.pixels, textures.procedural_textures("imagenet", 40, 48).pixels
  )
  assert (first.sizes > (40, 48)).all()
  assert "procedural_frost" not in corruptions.NAMES + corruptions.EXTRA_NAMES


def test_frost_without_its_photographs_says_how_to_get_them(folder, tmp_path, monkeypatch):
  image, key = jnp.zeros((32, 32, 3)), jax.random.key(0)
  with pytest.raises(errors.InputError, match=r"pip install .*corruptions.frost_textures"):
    corruptions.corrupt(key, image, "frost", 1)
  with pytest.raises(errors.InputError, match=r"frost1.png: .*pip install"):
    corruptions.frost_textures(tmp_path)
  monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
  with pytest.raises(errors.InputError, match="imagecorruptions is not installed"):
    corruptions.frost_textures()
  with pytest.raises(errors.InputError, match="unknown variant 'large'"):
    corruptions.frost_textures(folder, variant="large")
  made = corruptions.frost_textures(folder)
  with pytest.raises(errors.InputError, match=r"frost_textures\(variant='imagenet', height=32"):
    corruptions.corrupt(key, image, "frost", 1, textures=made)


def test_photographs_of_an_installed_package_are_found_without_importing_it(
  folder, tmp_path, monkeypatch
):
  package = tmp_path / "imagecorruptions"
  package.mkdir()
  (package / "__init__.py").write_text("raise ImportError")
  (package / "frost").symlink_to(folder)
  monkeypatch.syspath_prepend(tmp_path)
  found = corruptions.frost_textures(height=32, width=32)
  expected = corruptions.frost_textures(folder, height=32, width=32)
  np.testing.assert_array_equal(found.pixels, expected.pixels)
