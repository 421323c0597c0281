"""The sequences of ImageNet-P as its code makes them, on Pillow, OpenCV, scikit-image and torch.

Each takes pixels uint8 [H, W, 3] of the whole image, the size of a frame and the draws, if there
are any, and yields the frames as uint8 [size, size, 3]. ImageMagick's motion blur is in float64.
"""

import math

import cv2
import numpy as np
import skimage.filters
import torch
from PIL import Image

from references import weather
from references.create_c import clipped_zoom, cut


def centre(pixels, size):
  """torchvision's CenterCrop."""
  top, left = (round((side - size) / 2.0) for side in pixels.shape[:2])
  return pixels[top : top + size, left : left + size]


def affine(pixels, angle=0, translate=0, scale=1.0, shear=0, resample=Image.BILINEAR):
  """torchvision's affine of 2018: about (w / 2 + 0.5, h / 2 + 0.5), shear added to the angle."""
  height, width, _ = pixels.shape
  x, y = width * 0.5 + 0.5, height * 0.5 + 0.5
  first, second = math.radians(angle), math.radians(angle + shear)
  to_origin = np.array([[1, 0, -x], [0, 1, -y], [0, 0, 1]])
  turned = np.array(
    [
      [math.cos(first) * scale, -math.sin(second) * scale, 0],
      [math.sin(first) * scale, math.cos(second) * scale, 0],
      [0, 0, 1],
    ]
  )
  back = np.array([[1, 0, x + translate], [0, 1, y], [0, 0, 1]])
  inverse = np.linalg.inv(back @ turned @ to_origin)[:2].ravel()
  if not angle and not shear and scale == 1:
    inverse = np.array([1, 0, -translate, 0, 1, 0])  # Without the digits that inv loses.
  image = Image.fromarray(pixels)
  return np.asarray(image.transform((width, height), Image.AFFINE, tuple(inverse), resample))


def zoom_blur(pixels, size):
  total = 0
  for i in range(31):
    zoomed = affine(pixels, scale=1 + 0.004 * i) if i else pixels
    total = total + torch.from_numpy(centre(zoomed, size).copy()).float().div(255)
    yield (total / (i + 1)).mul(255).byte().numpy()


def tilted(pixels, degrees):
  """About both axes, in homogeneous coordinates as the reference has it."""
  height, width, _ = pixels.shape
  angle, far = np.deg2rad(degrees), np.hypot(width, height)
  c, s = np.cos(angle), np.sin(angle)
  lift = np.array([[1, 0, -width / 2], [0, 1, -height / 2], [0, 0, 1], [0, 0, 1]])
  about_x = np.array([[1, 0, 0, 0], [0, c, -s, 0], [0, s, c, 0], [0, 0, 0, 1]])
  about_y = np.array([[c, 0, -s, 0], [0, 1, 0, 0], [s, 0, c, 0], [0, 0, 0, 1]])
  away = np.eye(4)
  away[2, 3] = far
  project = np.array([[far, 0, width / 2, 0], [0, far, height / 2, 0], [0, 0, 1, 0]])
  return cv2.warpPerspective(pixels, project @ away @ about_x @ about_y @ lift, (width, height))


def blurred_by_magick(pixels, radius, sigma, degrees):
  """MagickMotionBlurImage, its offsets in its own float64 order of operations."""
  length = 2 * math.ceil(radius) + 1
  weights = np.exp(-(np.arange(length) ** 2) / (2.0 * sigma**2))
  y, x = length * math.sin(math.pi * degrees / 180), length * math.cos(math.pi * degrees / 180)
  rows, columns = np.arange(pixels.shape[0])[:, None], np.arange(pixels.shape[1])[None]
  total = np.zeros(pixels.shape)
  for i, weight in enumerate(weights / weights.sum()):
    row = rows + math.ceil(i * y / math.hypot(x, y) - 0.5)
    column = columns + math.ceil(i * x / math.hypot(x, y) - 0.5)
    total += weight * pixels[row.clip(0, rows.size - 1), column.clip(0, columns.size - 1)]
  in_16_bits = np.floor(257 * total + 0.5)
  return np.uint8(np.floor(in_16_bits / 257 + 0.5))


def snow(pixels, layer, zoom, radius, sigma, frames=31):
  layer = clipped_zoom(layer[..., None], zoom)
  layer[layer < 0.5] = 0
  unit = pixels / 255.0
  grey = cv2.cvtColor(np.float32(unit), cv2.COLOR_RGB2GRAY)[..., None]
  for i in range(frames):
    flakes = blurred_by_magick(cut(layer), radius, sigma, i * 4 - 150) / 255.0
    white = 0.85 * unit + (1 - 0.85) * np.maximum(unit, grey * 1.5 + 0.5)
    yield cut(white + flakes + np.rot90(flakes, k=2))


def spatter(pixels, layer, sigma, threshold, flow, frames=31):
  liquid = skimage.filters.gaussian(layer, sigma=sigma)
  liquid[liquid < threshold] = 0
  for _ in range(frames):
    yield weather.water(pixels, liquid, 0.6)
    liquid = np.apply_along_axis(lambda column: np.convolve(column, flow, mode="same"), 0, liquid)


def gaussian_blur(pixels, sigma, truncate):
  unit = pixels / 255.0
  return np.uint8(
    255 * skimage.filters.gaussian(unit, sigma=sigma, channel_axis=-1, truncate=truncate)
  )


FRAMES = {  # Those that need no draws, of the 224 variant: (image, size) -> frames.
  "motion_blur": lambda x, n: (
    blurred_by_magick(centre(x, n), 10, 3, (i - 30) * 4) for i in range(31)
  ),
  "zoom_blur": zoom_blur,
  "brightness": lambda x, n: (
    weather.brightness(centre(x, n), (i - 15) * 2 / 100.0) for i in range(31)
  ),
  "translate": lambda x, n: (
    centre(affine(x, translate=i - 20, resample=Image.NEAREST), n) for i in range(41)
  ),
  "rotate": lambda x, n: (centre(affine(x, angle=i - 15), n) for i in range(31)),
  "tilt": lambda x, n: (centre(tilted(x, i - 15), n) for i in range(31)),
  "scale": lambda x, n: (centre(affine(x, scale=(i * 2.5 + 40) / 100.0), n) for i in range(31)),
  "gaussian_blur": lambda x, n: (
    gaussian_blur(centre(x, n), 0.25 + 0.035 * i, 6) for i in range(31)
  ),
  "shear": lambda x, n: (centre(affine(x, shear=i - 15), n) for i in range(31)),
}
CIFAR = {  # Likewise, of CIFAR-10-P, where they differ.
  "motion_blur": lambda x, n: (blurred_by_magick(x, 6, 1.8, (i - 20) * 9) for i in range(21)),
  "brightness": lambda x, n: (weather.brightness(x, (i - 15) * 1.5 / 100.0) for i in range(31)),
  "translate": lambda x, n: (affine(x, translate=i - 7, resample=Image.NEAREST) for i in range(16)),
  "tilt": lambda x, n: (tilted(x, 0.75 * (i - 15)) for i in range(31)),
  "scale": lambda x, n: (affine(x, scale=(i * 2 + 70) / 100.0) for i in range(31)),
  "gaussian_blur": lambda x, n: (gaussian_blur(x, 0.3 + 0.015 * i, 7) for i in range(31)),
}
