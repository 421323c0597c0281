"""Noise and blur as the code of ImageNet-C does them, on numpy, scipy, scikit-image and OpenCV.

Each takes pixels uint8 [H, W, 3], the constants of one severity and, if it is random, the draws,
and returns what the reference returns: uint8 [H, W, 3]. Where the reference asks ImageMagick for a
motion blur, its arithmetic stands here in float64.
"""

import math

import cv2
import numpy as np
import scipy.ndimage
import skimage.filters


def cut(unit: np.ndarray) -> np.ndarray:
  """Values in [0, 1] as 8 bits."""
  return np.uint8(np.clip(unit, 0, 1) * 255)


def gaussian_noise(pixels, deviation, noise):
  return cut(pixels / 255.0 + noise)


def speckle_noise(pixels, deviation, noise):
  unit = pixels / 255.0
  return cut(unit + unit * noise)


def shot_noise(pixels, photons, counts):
  return cut(counts / float(photons))


def impulse_noise(pixels, amount, flipped, salted):
  out = pixels / 255.0
  out[flipped & salted] = 1
  out[flipped & ~salted] = 0
  return cut(out)


def gaussian_blur(pixels, sigma):
  return cut(skimage.filters.gaussian(pixels / 255.0, sigma=sigma, channel_axis=-1))


def glass_blur(pixels, sigma, reach, passes, offsets):
  """`offsets`: int [passes, H - 2 * reach, W - 2 * reach, 2], dx and dy as the loop meets them."""
  x = np.uint8(skimage.filters.gaussian(pixels / 255.0, sigma=sigma, channel_axis=-1) * 255)
  height, width = x.shape[:2]
  for i in range(passes):
    for row, h in enumerate(range(height - reach, reach, -1)):
      for column, w in enumerate(range(width - reach, reach, -1)):
        dx, dy = offsets[i, row, column]
        x[h, w], x[h + dy, w + dx] = x[h + dy, w + dx], x[h, w]
  return cut(skimage.filters.gaussian(x / 255.0, sigma=sigma, channel_axis=-1))


def disk(radius, alias):
  reach = 8 if radius <= 8 else radius
  x, y = np.meshgrid(np.arange(-reach, reach + 1), np.arange(-reach, reach + 1))
  kernel = np.array(x**2 + y**2 <= radius**2, np.float32)
  size = (3, 3) if radius <= 8 else (5, 5)
  return cv2.GaussianBlur(kernel / kernel.sum(), ksize=size, sigmaX=alias)


def defocus_blur(pixels, radius, alias):
  kernel, unit = disk(radius, alias), pixels / 255.0
  return cut(np.stack([cv2.filter2D(unit[..., c], -1, kernel) for c in range(3)], axis=-1))


def smeared(image, radius, sigma, degrees):
  """ImageMagick's sum, not rounded: float64 [H, W, C], on the scale of `image`."""
  weights = np.exp(-(np.arange(2 * math.ceil(radius) + 1) ** 2) / (2.0 * sigma**2))
  rows, columns = np.arange(image.shape[0])[:, None], np.arange(image.shape[1])[None]
  total = np.zeros(image.shape)
  for i, weight in enumerate(weights / weights.sum()):
    y = rows + math.ceil(i * math.sin(math.radians(degrees)) - 0.5)
    x = columns + math.ceil(i * math.cos(math.radians(degrees)) - 0.5)
    total += weight * image[y.clip(0, rows.size - 1), x.clip(0, columns.size - 1)]
  return total


def motion_blur(pixels, radius, sigma, degrees, im_round="nearest"):
  in_16_bits = np.floor(257 * smeared(pixels, radius, sigma, degrees) + 0.5)
  return np.uint8(np.floor(in_16_bits / 257 + (0.5 if im_round == "nearest" else 0)))


def clipped_zoom(image, factor):
  sides = image.shape[:2]
  crops = [math.ceil(side / factor) for side in sides]
  tops = [(side - crop) // 2 for side, crop in zip(sides, crops, strict=True)]
  rows, columns = (slice(top, top + crop) for top, crop in zip(tops, crops, strict=True))
  large = scipy.ndimage.zoom(image[rows, columns], (factor, factor, 1), order=1)
  tops = [(found - side) // 2 for found, side in zip(large.shape, sides, strict=False)]
  return large[tops[0] : tops[0] + sides[0], tops[1] : tops[1] + sides[1]]


def zoom_blur(pixels, stop, step):
  unit = (pixels / 255.0).astype(np.float32)
  factors = np.arange(1, stop, step)
  out = np.zeros_like(unit)
  for factor in factors:
    out += clipped_zoom(unit, factor)
  return cut((unit + out) / (len(factors) + 1))
