"""Canny's edges, bit for bit OpenCV's, and its distance to the nearest one."""

import jax
import jax.numpy as jnp
import numpy as np

# Directions (y, x), strides whose sums reach 20 pixels, cost of a step (Borgefors, 1986).
_LINES = (
  (((0, 1), (1, 0)), (1, 2, 4, 8, 5), 1.0),
  (((1, 1), (1, -1)), (1, 2, 4, 7), 1.4),
  (((1, 2), (2, 1), (1, -2), (2, -1)), (1, 2, 4, 2), 2.1969),
)
_MARGIN = 8  # The longest of them in any direction.


def canny(plane: jax.Array, low: int, high: int) -> jax.Array:
  """cv2.Canny with a 3x3 Sobel filter and the L1 norm (Canny, 1986).

  Args:
    plane: int32 [H, W] in 0..255.
    low: of two thresholds; above it a pixel is an edge if it touches one,
    high: above it in any case.

  Returns:
    bool [H, W].
  """
  wide = jnp.pad(plane, 1, mode="edge")
  tall = wide[:-2] + 2 * wide[1:-1] + wide[2:]
  across = wide[:, :-2] + 2 * wide[:, 1:-1] + wide[:, 2:]
  gx, gy = tall[:, 2:] - tall[:, :-2], across[2:] - across[:-2]
  strength = jnp.abs(gx) + jnp.abs(gy)
  candidates = _is_ridge(strength, gx, gy) & (strength > low)
  return _connected(candidates & (strength > high), candidates)


def _is_ridge(strength: jax.Array, gx: jax.Array, gy: jax.Array) -> jax.Array:
  """Whether no pixel across the edge is stronger; tan(22.5 degrees) in 15 bits splits sectors."""
  near = {(y, x): moved(strength, y, x, 0) for y in (-1, 0, 1) for x in (-1, 0, 1)}
  flat, steep = jnp.abs(gx) * 13573, jnp.abs(gy) << 15
  beside = (strength > near[0, -1]) & (strength >= near[0, 1])
  above = (strength > near[-1, 0]) & (strength >= near[1, 0])
  falling = (strength > near[-1, -1]) & (strength > near[1, 1])
  rising = (strength > near[-1, 1]) & (strength > near[1, -1])
  diagonal = jnp.where((gx ^ gy) < 0, rising, falling)
  vertical = steep > flat + (jnp.abs(gx) << 16)
  return jnp.where(steep < flat, beside, jnp.where(vertical, above, diagonal))


def _connected(seeds: jax.Array, candidates: jax.Array) -> jax.Array:
  """All candidates that a chain of neighbours links to a seed."""

  def grow(state: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
    edges, _ = state
    rows = edges | moved(edges, -1, 0, False) | moved(edges, 1, 0, False)
    more = (rows | moved(rows, 0, -1, False) | moved(rows, 0, 1, False)) & candidates
    return more, (more != edges).any()

  return jax.lax.while_loop(lambda state: state[1], grow, (seeds, seeds.any()))[0]


def distance(edges: jax.Array, limit: float) -> jax.Array:
  """cv2.distanceTransform(DIST_L2, mask 5), cut at `limit` pixels, at most 20.

  A shortest path has steps in two neighbouring directions only, in any order: so one pass along
  each of eight lines is enough, and a pass is a few minima over doubled strides.

  Args:
    edges: bool [H, W], where the distance is 0.
    limit: in pixels.

  Returns:
    float32 [H, W].
  """
  steps = [(d, s, c * s) for directions, strides, c in _LINES for d in directions for s in strides]
  offsets = jnp.array([np.multiply(direction, stride) for direction, stride, _ in steps])

  def relax(distance: jax.Array, step: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
    offset, cost = step
    wide = jnp.pad(distance, _MARGIN, constant_values=limit)
    near = [jax.lax.dynamic_slice(wide, _MARGIN + o, distance.shape) for o in (-offset, offset)]
    return jnp.minimum(distance, jnp.minimum(*near) + cost), None

  start = jnp.where(edges, 0.0, limit)
  return jax.lax.scan(relax, start, (offsets, jnp.array([cost for *_, cost in steps])))[0]


def moved(plane: jax.Array, y: int, x: int, fill: float | bool) -> jax.Array:
  """What lies y rows below and x columns to the right of each pixel, `fill` beyond the border."""
  height, width = plane.shape
  margins = ((max(-y, 0), max(y, 0)), (max(-x, 0), max(x, 0)))
  padded = jnp.pad(plane, margins, constant_values=fill)
  return padded[max(y, 0) :][:height, max(x, 0) :][:, :width]
