"""Where Square Attack changes an image: the proposals of its three norms, for one image [H, W, 3].

Reference: Andriushchenko et al., 2020 (arXiv:1912.00049), sections 3.2 to 3.4; for l1, Croce &
Hein, 2021 (arXiv:2103.01208), appendix. Sizes of windows are traced, so windows are masks.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxbench import errors


class Window(NamedTuple):
  """A square of the image."""

  row: jax.Array  # [] int32, of its first pixel.
  column: jax.Array  # [] int32.
  size: jax.Array  # [] int32.

  def offsets(self, image: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Row [H, 1] and column [1, W] of each pixel, counted from the window's first one."""
    rows, columns = jnp.arange(image.shape[0]), jnp.arange(image.shape[1])
    return rows[:, None] - self.row, columns[None, :] - self.column

  def mask(self, image: jax.Array) -> jax.Array:
    """Which pixels it holds, bool [H, W, 1]."""
    rows, columns = self.offsets(image)
    inside = (rows >= 0) & (rows < self.size) & (columns >= 0) & (columns < self.size)
    return inside[:, :, None]


class Draw(NamedTuple):
  """The proposals of one norm; keys are that of the windows and that of the example."""

  # (key, key, clean, radius) -> image
  start: Callable[[jax.Array, jax.Array, jax.Array, jax.Array], jax.Array]
  # (key, key, clean, image, radius, pixels of a window) -> image
  propose: Callable[..., jax.Array]


def _place(key: jax.Array, image: jax.Array, size: jax.Array) -> Window:
  """A window at random; the last row and column are never reached, as in the authors' code."""
  height, width = image.shape[:2]
  across, down = jax.random.uniform(key, (2,))
  row = (across * (height - size).astype(jnp.float32)).astype(jnp.int32)
  column = (down * (width - size).astype(jnp.float32)).astype(jnp.int32)
  return Window(row, column, size)


def _signs(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
  return jax.random.rademacher(key, shape, jnp.float32)


def _stripes(_: jax.Array, key: jax.Array, clean: jax.Array, radius: jax.Array) -> jax.Array:
  return clean + radius * _signs(key, (1, *clean.shape[1:]))


def _flat_square(
  window_key: jax.Array,
  _: jax.Array,
  clean: jax.Array,
  image: jax.Array,
  radius: jax.Array,
  pixels: jax.Array,
) -> jax.Array:
  """The image with a square at plus or minus the radius, one sign per channel."""
  place, signs = jax.random.split(window_key)
  shortest = min(image.shape[:2])
  size = jnp.clip(jnp.round(jnp.sqrt(pixels)).astype(jnp.int32), 1, shortest)
  mask = _place(place, image, size).mask(image)
  # Twice the radius: from wherever the pixel is, to the border.
  return image + jnp.where(mask, 2 * radius * _signs(signs, (1, 1, 3)), 0.0)


class _Pyramids:
  """The bumps of the l2 and l1 proposals: `order` is that of the norm, `power` their steepness."""

  def __init__(self, order: int, power: int):
    self._order, self._power = order, power

  def size(self, values: jax.Array) -> jax.Array:
    """The norm of each channel, [H, W, C] -> [1, 1, C]."""
    total = (jnp.abs(values) ** self._order).sum(axis=(0, 1), keepdims=True)
    return total ** (1 / self._order)

  def _half(
    self, rows: jax.Array, columns: jax.Array, height: jax.Array, width: jax.Array, most: int
  ) -> jax.Array:
    """One bump of `height` times `width`: rings around its centre, [H, W, 1]."""
    rings = np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, most + 3.0) ** self._power)])
    sums = jnp.asarray(rings, jnp.float32)
    ring = jnp.maximum(jnp.abs(rows - height // 2), jnp.abs(columns - width // 2))
    count = jnp.maximum(height // 2 + 1, width // 2 + 1)
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    tall = sums[count] - sums[jnp.minimum(ring, count)]
    bump = jnp.where(inside, tall, 0.0)[:, :, None]
    return bump / jnp.maximum(self.size(bump), 1e-12)

  def bump(self, key: jax.Array, image: jax.Array, window: Window) -> jax.Array:
    """Two opposite bumps side by side, or one above the other, at norm 1: [H, W, 1]."""
    rows, columns = window.offsets(image)
    turned = jax.random.uniform(key) > 0.5
    rows, columns = jnp.broadcast_arrays(rows, columns)
    rows, columns = jnp.where(turned, columns, rows), jnp.where(turned, rows, columns)
    size, most = window.size, max(image.shape[:2])
    upper = self._half(rows, columns, size // 2, size, most)
    lower = self._half(rows - size // 2, columns, size - size // 2, size, most)
    both = upper - lower
    return both / jnp.maximum(self.size(both), 1e-12)

  def start(
    self, window_key: jax.Array, key: jax.Array, clean: jax.Array, radius: jax.Array
  ) -> jax.Array:
    """Five times five bumps, or more where the division leaves room."""
    height, width = clean.shape[:2]
    side = max(height // 5, 1)
    edge = (height - side * 5) // 2
    delta = jnp.zeros_like(clean)
    tiles = [(i, j) for i in range(height // side) for j in range(width // side)]
    turns, signs = jax.random.split(window_key, len(tiles)), _signs(key, (len(tiles), 1, 1, 3))

    def add(delta: jax.Array, tile: tuple[jax.Array, ...]) -> tuple[jax.Array, None]:
      row, column, turn, sign = tile
      window = Window(edge + row * side, edge + column * side, jnp.int32(side))
      return delta + self.bump(turn, clean, window) * sign, None

    places = jnp.asarray(tiles, jnp.int32)
    delta, _ = jax.lax.scan(add, delta, (places[:, 0], places[:, 1], turns, signs))
    if self._order == 1:
      return clean + delta
    return clean + radius * delta / (jnp.sqrt(jnp.square(delta).sum()) + 1e-12)

  def propose(
    self,
    window_key: jax.Array,
    key: jax.Array,
    clean: jax.Array,
    image: jax.Array,
    radius: jax.Array,
    pixels: jax.Array,
  ) -> jax.Array:
    """Moves what one window holds, and what is left of the radius, into another, bump-shaped."""
    first, second, turn = jax.random.split(window_key, 3)
    size = jnp.maximum(jnp.round(jnp.sqrt(pixels)).astype(jnp.int32), 3)
    size = jnp.minimum(size + (size % 2 == 0).astype(jnp.int32), min(image.shape[:2]))
    target, source = _place(first, image, size), _place(second, image, size)
    delta = image - clean
    filled, emptied = target.mask(image), source.mask(image)
    used = (jnp.abs(delta) ** self._order).sum() ** (1 / self._order)
    held = self.size(jnp.where(filled | emptied, delta, 0.0))
    old = jnp.where(filled, delta, 0.0)
    shape = self.bump(turn, image, target) * _signs(key, (1, 1, 3)) + old / (1e-12 + self.size(old))
    shape = shape / (1e-12 + self.size(shape))
    if self._order == 2:
      amount = jnp.sqrt(
        jnp.maximum(jnp.square(radius) - jnp.square(used), 0) / 3 + jnp.square(held)
      )
    else:
      amount = jnp.maximum(radius - used, 0) / 3 + held
      amount *= 3
    delta = jnp.where(emptied, 0.0, delta)
    delta = jnp.where(filled, shape * amount, delta)
    if self._order == 1:
      return clean + delta
    return clean + radius * delta / (jnp.sqrt(jnp.square(delta).sum()) + 1e-12)


def get(norm: str) -> Draw:
  """The proposals of the norm of that name.

  Raises:
    InputError: there is no such norm.
  """
  if norm == "linf":
    return Draw(_stripes, _flat_square)
  if norm not in ("l2", "l1"):
    raise errors.unknown("norm", norm, ("linf", "l2", "l1"))
  pyramids = _Pyramids(2, 2) if norm == "l2" else _Pyramids(1, 4)
  return Draw(pyramids.start, pyramids.propose)
