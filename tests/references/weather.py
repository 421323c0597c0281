"""Weather, colour, pixelate and elastic as the code of ImageNet-C does them, on numpy, scipy,
scikit-image, OpenCV and Pillow.

Each takes pixels uint8 [H, W, 3], the constants of one severity and, if it is random, the draws,
and returns what the reference returns: uint8 [H, W, 3].
"""

import math

import cv2
import numpy as np
import scipy.ndimage
import skimage.color
import skimage.filters
from PIL import Image

from references.create_c import clipped_zoom, cut, motion_blur, smeared
from references.weather_constants import CONSTANTS


def brightness(pixels, added):
  hsv = skimage.color.rgb2hsv(pixels / 255.0)
  hsv[..., 2] = np.clip(hsv[..., 2] + added, 0, 1)
  return cut(skimage.color.hsv2rgb(hsv))


def saturate(pixels, factor, offset):
  hsv = skimage.color.rgb2hsv(pixels / 255.0)
  hsv[..., 1] = np.clip(hsv[..., 1] * factor + offset, 0, 1)
  return cut(skimage.color.hsv2rgb(hsv))


def pixelate(pixels, factor, up=Image.BOX):
  height, width, _ = pixels.shape
  small = Image.fromarray(pixels).resize((int(width * factor), int(height * factor)), Image.BOX)
  return np.asarray(small.resize((width, height), up))


def elastic_transform(pixels, strength, deviation, corners, fields):
  """`corners`: float32 [3, 2] and `fields`: two float64 [H, W], in pixels and in [-1, 1]."""
  unit = np.float32(pixels) / np.float32(255)
  height, width, _ = pixels.shape
  x, y, side = width // 2, height // 2, min(height, width) // 3
  start = np.float32([[x + side, y + side], [x + side, y - side], [x - side, y - side]])
  matrix = cv2.getAffineTransform(start, start + corners)
  unit = cv2.warpAffine(unit, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101)
  dx, dy = (
    np.float32(skimage.filters.gaussian(f, deviation, mode="reflect", truncate=3) * strength)
    for f in fields
  )
  rows, columns, channels = np.mgrid[:height, :width, :3]
  where = rows + dy[..., None], columns + dx[..., None], channels
  return cut(scipy.ndimage.map_coordinates(unit, where, order=1, mode="reflect"))


def plasma(size, decay, draws):
  """The diamond-square map, [size, size] in [0, 1]; `draws`: in [-1, 1], as the loop meets them."""
  grid, amplitude, step, used = np.zeros((size, size)), 100.0, size, 0

  def wobbled(total):
    nonlocal used
    noise = draws[used : used + total.size].reshape(total.shape)
    used += total.size
    return total / 4 + amplitude * amplitude * noise

  while step > 1:
    half = step // 2
    corner, centre = grid[::step, ::step], grid[half::step, half::step]
    pairs = corner + np.roll(corner, -1, 0)
    centre[:] = wobbled(pairs + np.roll(pairs, -1, 1))
    across = corner + np.roll(corner, -1, 1)
    grid[::step, half::step] = wobbled(centre + np.roll(centre, 1, 0) + across)
    down = corner + np.roll(corner, -1, 0)
    grid[half::step, ::step] = wobbled(centre + np.roll(centre, 1, 1) + down)
    step, amplitude = half, amplitude / decay
  grid -= grid.min()
  return grid / grid.max()


def fog(pixels, density, cloud):
  unit = pixels / 255.0
  height, width, _ = pixels.shape
  thick = unit + density * cloud[:height, :width, None]
  return cut(thick * unit.max() / (unit.max() + density))


def frost(pixels, image, frost, crop):
  return np.uint8(np.clip(image * pixels + frost * crop, 0, 255))


def snow(pixels, zoom, threshold, radius, sigma, mix, layer, degrees, im_round="nearest"):
  unit = np.float32(pixels) / np.float32(255)
  layer = clipped_zoom(layer[..., None], zoom)
  layer[layer < threshold] = 0
  flakes = motion_blur(cut(layer), radius, sigma, degrees, im_round) / 255.0
  grey = cv2.cvtColor(unit, cv2.COLOR_RGB2GRAY)[..., None]
  unit = mix * unit + (1 - mix) * np.maximum(unit, grey * 1.5 + 0.5)
  return cut(unit + flakes + np.rot90(flakes, k=2))


def package_snow(pixels, zoom, threshold, radius, sigma, mix, layer, degrees):
  """imagecorruptions: flakes are not cut to 8 bits before they fall, nor trimmed."""
  height, width, _ = pixels.shape
  unit = np.float32(pixels) / np.float32(255)
  rows, columns = math.ceil(height / zoom), math.ceil(width / zoom)
  top, left = (height - rows) // 2, (width - columns) // 2
  layer = scipy.ndimage.zoom(layer[top : top + rows, left : left + columns], zoom, order=1)
  layer = np.where(layer < threshold, 0, np.clip(layer, 0, 1))
  flakes = np.round(smeared(layer[..., None], radius, sigma, degrees) * 255) / 255
  flakes = flakes[:height, :width]
  grey = cv2.cvtColor(unit, cv2.COLOR_RGB2GRAY)[..., None]
  unit = mix * unit + (1 - mix) * np.maximum(unit, grey * 1.5 + 0.5)
  return cut(unit + flakes + np.rot90(flakes, k=2))


def spatter(pixels, sigma, threshold, strength, is_mud, layer):
  unit = np.float32(pixels) / np.float32(255)
  liquid = skimage.filters.gaussian(layer, sigma=sigma)
  liquid[liquid < threshold] = 0
  if is_mud:
    mud = skimage.filters.gaussian((liquid > threshold).astype(np.float32), sigma=strength)
    mud[mud < 0.8] = 0
    color = np.array([63, 42, 20]) / 255.0
    return cut(unit * (1 - mud[..., None]) + mud[..., None] * color)
  return water(pixels, liquid, strength)


def water(pixels, liquid, strength):
  unit = np.float32(pixels) / np.float32(255)
  depth = (liquid * 255).astype(np.uint8)
  away = np.minimum(cv2.distanceTransform(255 - cv2.Canny(depth, 50, 150), cv2.DIST_L2, 5), 20)
  light = cv2.equalizeHist(cv2.blur(away, (3, 3)).astype(np.uint8))
  light = cv2.filter2D(light, cv2.CV_8U, np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]]))
  bright = depth * cv2.blur(light, (3, 3)).astype(np.float32)
  bright = strength * bright / bright.max()
  return cut(unit + bright[..., None] * (np.float32([175, 238, 238]) / 255))


def constants(variant, name):
  return CONSTANTS[variant].get(name, CONSTANTS["imagenet"][name])
