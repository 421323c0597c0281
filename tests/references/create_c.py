"""Noise, blur, contrast and JPEG as the code of ImageNet-C does them, on numpy, scipy,
scikit-image, OpenCV and Pillow.

Each takes pixels uint8 [H, W, 3], the constants of one severity and, if it is random, the draws,
and returns what the reference returns: uint8 [H, W, 3]. Where the reference asks ImageMagick for a
motion blur, its arithmetic stands here in float64.
"""

import io
import math

import cv2
import numpy as np
import scipy.ndimage
import skimage.filters
from PIL import Image


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


def contrast(pixels, factor):
  unit = pixels / 255.0
  mean = unit.mean(axis=(0, 1), keepdims=True)
  return cut((unit - mean) * factor + mean)


def jpeg_compression(pixels, quality):
  file = io.BytesIO()
  Image.fromarray(pixels).save(file, "JPEG", quality=quality)
  return np.asarray(Image.open(file))


def zoom_blur(pixels, stop, step):
  unit = (pixels / 255.0).astype(np.float32)
  factors = np.arange(1, stop, step)
  out = np.zeros_like(unit)
  for factor in factors:
    out += clipped_zoom(unit, factor)
  return cut((unit + out) / (len(factors) + 1))


CONSTANTS = {  # By variant and operation, severities 1 to 5; "imagenet" where a variant has none.
  "imagenet": {
    "gaussian_noise": (0.08, 0.12, 0.18, 0.26, 0.38),
    "shot_noise": (60, 25, 12, 5, 3),
    "impulse_noise": (0.03, 0.06, 0.09, 0.17, 0.27),
    "speckle_noise": (0.15, 0.2, 0.35, 0.45, 0.6),
    "gaussian_blur": (1, 2, 3, 4, 6),
    "defocus_blur": ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)),
    "glass_blur": ((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)),
    "motion_blur": ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15)),
    "zoom_blur": ((1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03)),
    "contrast": (0.4, 0.3, 0.2, 0.1, 0.05),
    "jpeg_compression": (25, 18, 15, 10, 7),
  },
  "tiny": {
    "gaussian_noise": (0.04, 0.08, 0.12, 0.15, 0.18),
    "shot_noise": (250, 100, 50, 30, 15),
    "impulse_noise": (0.01, 0.02, 0.05, 0.08, 0.14),
    "speckle_noise": (0.15, 0.2, 0.25, 0.3, 0.35),
    "gaussian_blur": (0.5, 0.75, 1, 1.25, 1.5),
    "defocus_blur": ((0.5, 0.6), (1, 0.1), (1.5, 0.1), (2.5, 0.01), (3, 0.1)),
    "glass_blur": ((0.1, 1, 1), (0.5, 1, 1), (0.6, 1, 2), (0.7, 2, 1), (0.9, 2, 2)),
    "motion_blur": ((10, 1), (10, 1.5), (10, 2), (10, 2.5), (12, 3)),
    "zoom_blur": ((1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01)),
  },
  "cifar": {
    "gaussian_noise": (0.04, 0.06, 0.08, 0.09, 0.10),
    "shot_noise": (500, 250, 100, 75, 50),
    "impulse_noise": (0.01, 0.02, 0.03, 0.05, 0.07),
    "speckle_noise": (0.06, 0.1, 0.12, 0.16, 0.2),
    "gaussian_blur": (0.4, 0.6, 0.7, 0.8, 1),
    "defocus_blur": ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)),
    "glass_blur": ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)),
    "motion_blur": ((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)),
    "zoom_blur": ((1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01)),
  },
  "inception": {
    "gaussian_noise": (0.09, 0.13, 0.19, 0.27, 0.40),
    "shot_noise": (50, 20, 10, 5, 3),
    "impulse_noise": (0.04, 0.07, 0.10, 0.18, 0.28),
    "speckle_noise": (0.16, 0.21, 0.36, 0.46, 0.61),
    "gaussian_blur": (1.5, 2.5, 3.5, 4.5, 6.5),
    "defocus_blur": ((4, 0.1), (5, 0.5), (7, 0.5), (10, 0.5), (12, 0.5)),
    "glass_blur": ((0.8, 1, 3), (1, 3, 1), (1.1, 2, 4), (1.2, 4, 2), (1.6, 5, 2)),
    "motion_blur": ((12, 4), (17, 6), (17, 9), (17, 13), (22, 16)),
  },
}


def glass_offsets(shape, reach, passes):
  sides = shape[0] - 2 * reach, shape[1] - 2 * reach
  draw = np.random.RandomState(0)  # The reference draws from the legacy generator too.
  return draw.randint(-reach, reach, size=(passes, *sides, 2))


def constants(variant, name):
  return CONSTANTS[variant].get(name, CONSTANTS["imagenet"][name])
