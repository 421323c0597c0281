"""ImageNet-C-bar pixel by pixel in NumPy: a second writing of the published formulas.

Each takes an image of numbers in 0..255 and what is random, and returns numbers still to be cut.
"""

import math

import numpy as np
import scipy.ndimage


def _over(image, value):
  """`value(row, column)`, of every pixel."""
  height, width, _ = image.shape
  return np.array([[value(y, x) for x in range(width)] for y in range(height)], np.float64)


def single_frequency_greyscale(image, draws, severity):
  frequencies, phase = draws
  noise = _over(image, lambda y, x: math.sin(x * frequencies[0] + y * frequencies[1] + phase))
  return image + severity * 196 / 10 * noise[..., None]


def cocentric_sine_waves(image, draws, severity):
  (x0, y0), frequency, amplitude, width = draws

  def ring(y, x):
    angle = math.atan2(x - x0, y - y0) * frequency
    distance = math.hypot(x - x0, y - y0) + math.sin(angle) * amplitude
    return (distance % width) / width - 1 / 2

  return image + severity * 128 / 10 * _over(image, ring)[..., None]


def plasma_noise(image, draws, severity):
  time, folds, sharpness, scale = draws

  def color(y, x):
    point = np.array([x, y]) / scale
    frequency, slower, damping = 1.0, 1.0, 1.0
    for _ in range(folds):
      step = np.array(
        [
          math.cos(point[1] * frequency + time / slower),
          math.sin(point[0] * frequency + time / slower),
        ]
      )
      step = step / damping
      point = point + step + 0.3 * np.array([-step[1], step[0]])
      frequency, slower, damping = 1.93 * frequency, 1.15 * slower, (2.25 - sharpness) * damping
    middle = math.sin((point.sum() + math.sin(time)) * 0.5)
    return [math.sin(point[0] - time), middle, math.sin(point[1] + time)]

  intensity = severity * 64 / 10
  return (1 - intensity / 255) * image + intensity * _over(image, color)


def _star(image, center, rays, lengths, power):
  def shine(y, x):
    below, right = y - center[0], x - center[1]
    turned = (math.atan2(right, below) + math.pi) / (2 * math.pi) * rays
    ray = int(turned)
    between = turned - ray
    one, after = lengths[ray % rays], lengths[(ray + 1) % rays]
    glow = ((one + between * (after - one)) ** 2 / (below**2 + right**2 + 1e-4)) ** power
    return min(max((1 - (between - 0.5) ** 2) * glow, 0), 1)

  return _over(image, shine)[..., None]


def sparkles(image, draws, severity):
  radius = severity * 0.1 / 10 * max(image.shape)
  for center, rays, normals in zip(*draws, strict=True):
    lengths = np.maximum(radius + 0.25 * radius * normals, 1)
    image = image + _star(image, center, rays, lengths, 1) * (255 - image)
  return image


def inverse_sparkles(image, draws, severity):
  center, rays, normals = draws
  radius = 0.25 * max(image.shape)
  amount = 100 - severity * 65 / 10
  lengths = radius + 0.25 * radius * normals
  return 255 + _star(image, center, rays, lengths, (100 - amount) / 50) * (image - 255)


def perlin_noise(image, draws, severity):
  order, slopes = draws
  table = np.concatenate([order, order])

  def noise(x, y):
    left, top = int(x) % 256, int(y) % 256
    x, y = x % 1, y % 1
    ease = [share * share * (3 - 2 * share) for share in (x, y)]
    rows = []
    for row in (0, 1):
      ends = []
      for column in (0, 1):
        index = table[table[(left + column) % 256] + (top + row) % 256]
        ends.append((x - column) * slopes[index, 0] + (y - row) * slopes[index, 1])
      rows.append(ends[0] + ease[0] * (ends[1] - ends[0]))
    return 1.5 * (rows[0] + ease[1] * (rows[1] - rows[0]))

  def turbulence(y, x):
    cell = 32 * max(image.shape) / 224
    octaves = (abs(noise(f * y / cell, f * x / cell)) / f for f in (1, 2, 4, 8, 16))
    return min(max(0.5 * sum(octaves) + 0.5, 0), 1)

  alpha = severity * 0.5 / 10
  return (1 - alpha) * image + 255 * alpha * _over(image, turbulence)[..., None]


def _spectral(image, half, middle, power):
  """For squares."""
  size = len(image)
  center = size / 2
  column = [np.concatenate([middle, [0], middle[::-1]])[:, None]] if size % 2 else []
  phases = np.concatenate([half, *column, half[::-1, ::-1]], axis=1)
  powers = _over(image, lambda y, x: power(math.hypot(x - center, y - center)))
  spectrum = np.roll(powers * np.exp(1j * phases), (size // 2, size // 2), (0, 1))
  noise = np.fft.ifft2(spectrum).real
  return noise / noise.std()


def blue_noise_sample(image, draws, severity):
  (half,), (middle,) = draws
  noise = _spectral(image, half, middle, lambda distance: distance)
  return image * (noise > severity * 3 / 10 - 2.5)[..., None]


def brownish_noise(image, draws, severity):
  noise = [
    _spectral(image, half, middle, lambda distance: 1 / (distance**2 + 1))
    for half, middle in zip(*draws, strict=True)
  ]
  return image + severity * 64 / 10 * np.stack(noise, axis=-1)


def checkerboard_cutout(image, draws, severity):
  angle, size, squares = draws
  count = int(4 * max(image.shape) // size)
  grid = squares[:count, :count] < severity / 10

  def kept(y, x):
    across = (math.cos(angle) * y + math.sin(angle) * x) / size
    along = (-math.sin(angle) * y + math.cos(angle) * x) / size
    return int(across % 2) != int(along % 2) or not grid[int(across), int(along)]

  return np.where(_over(image, kept)[..., None], image, 128)


def caustic_refraction(image, draws, severity):
  time, size = draws
  side = max(image.shape)

  def caustic(y, x):
    place = (np.array([y, x]) / size % 1) * 2 * math.pi - 250
    moved, light = place, 1.0
    for fold in range(5):
      t = time * (1 - 3.5 / (fold + 1))
      moved = place + np.array(
        [
          math.cos(t - moved[0]) + math.sin(t + moved[1]),
          math.sin(t - moved[1]) + math.cos(t + moved[0]),
        ]
      )
      waves = np.array([math.sin(moved[0] + t), math.cos(moved[1] + t)])
      light += 1 / np.linalg.norm(place / (waves / 0.005))
    return min(abs(1.17 - (light / 5) ** 1.4) ** 8, 1)

  light = scipy.ndimage.gaussian_filter(_over(image, caustic), 1)

  def at(array, y, x):
    inside = 0 <= y < array.shape[0] and 0 <= x < array.shape[1]
    return array[y, x] if inside else np.zeros_like(array[0, 0])

  def refracted(y, x):
    slope = np.array([at(light, y + 1, x) - at(light, y - 1, x),
                      at(light, y, x + 1) - at(light, y, x - 1)])  # fmt: skip
    normal = np.array([*slope, 1]) / np.linalg.norm([*slope, 1])
    ray = np.array([0.0, 0, 1])
    if normal[2] < 1 - 1e-3:
      bent = math.asin(math.sin(math.acos(normal[2])) / 4)
      aside = np.cross(ray, normal)
      aside = aside / np.linalg.norm(aside)
      axes = np.stack([normal, np.cross(normal, aside), aside])
      ray = np.linalg.inv(axes) @ np.array([math.cos(bent), math.sin(bent), 0])
    row, column = np.array([y, x]) + np.round(ray * severity * 0.5 / 10 * side, 3)[:2]
    top, left = math.floor(row), math.floor(column)
    found = sum(
      at(image, top + i, left + j) * (1 - abs(row - top - i)) * (1 - abs(column - left - j))
      for i in (0, 1)
      for j in (0, 1)
    )
    return np.clip(found / 255 + severity * 2 / 10 * (slope[0] - slope[1]), 0, 1) * 255

  return _over(image, refracted)
