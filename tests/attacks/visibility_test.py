"""PSNR and SSIM: against an independent implementation, and against dm-pix's own convolutions."""

import dm_pix
import jax
import numpy as np
import pytest
from scipy import ndimage

from jaxbench.attacks.engine import visibility


def _ssim(before, after):
  """Wang et al., 2004, in float64, by scipy's filter."""

  def smoothed(image):
    weights = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
    weights /= weights.sum()
    for axis in (0, 1):
      image = ndimage.correlate1d(image, weights, axis=axis)
    return image[5:-5, 5:-5]

  means = smoothed(before), smoothed(after)
  variances = [smoothed(x * x) - m * m for x, m in zip((before, after), means, strict=True)]
  covariance = smoothed(before * after) - means[0] * means[1]
  luminance = (2 * means[0] * means[1] + 1e-4) / (means[0] ** 2 + means[1] ** 2 + 1e-4)
  return (luminance * (2 * covariance + 9e-4) / (variances[0] + variances[1] + 9e-4)).mean()


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(11, 11), (24, 70), (140, 13)])
def test_as_by_scipy_and_as_by_dm_pix_alone(shape):
  draw = np.random.default_rng(sum(shape))
  before = draw.integers(0, 256, (5, *shape, 3), np.uint8)
  after = np.clip(before / 255 + draw.normal(0, 0.2, before.shape), 0, 1).astype(np.float32)
  found = visibility.columns(before, after, slots=2)
  for image, other, psnr, ssim in zip(before / 255, after, *found.values(), strict=True):
    assert psnr == pytest.approx(-10 * np.log10(np.mean((image - other) ** 2)), abs=1e-3)
    assert ssim == pytest.approx(_ssim(image, other.astype(np.float64)), abs=1e-5)
    with jax.numpy_dtype_promotion("standard"):  # For its own filter.
      assert ssim == pytest.approx(float(dm_pix.ssim(np.float32(image), other)), abs=1e-5)


def test_what_has_not_changed_is_invisible():
  images = np.full((3, 12, 12, 3), 77, np.uint8)
  found = visibility.columns(images, images, slots=4)
  assert np.isposinf(found["psnr"]).all()
  np.testing.assert_allclose(found["ssim"], 1)


def test_small_images_have_no_windows():
  images = np.zeros((1, 10, 30, 3), np.uint8)
  assert list(visibility.columns(images, images, slots=1)) == ["psnr"]
