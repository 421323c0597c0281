"""Grey squares of a checkerboard that is turned."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxbench.corruptions.base import Corruption, constants
from jaxbench.corruptions.c_bar.points import points, side

_SIZES = (0.1, 0.25)  # Of a square, in shares of the image.
_MOST = 40  # Squares along four sides of the image, at most.
_GREY = 128.0


class Board(NamedTuple):
  """All that is random."""

  angle: jax.Array  # [] float32.
  size: jax.Array  # [] float32, of a square, in pixels.
  squares: jax.Array  # [40, 40] float32 in [0, 1): grey are those below a share.


def _draw(key: jax.Array, shape: tuple[int, ...], severity: jax.Array) -> Board:
  angle, size, squares = jax.random.split(key, 3)
  share = jax.random.uniform(size, minval=_SIZES[0], maxval=_SIZES[1])
  return Board(
    jax.random.uniform(angle, maxval=2 * jnp.pi),
    jnp.maximum(share * side(shape), 1),
    jax.random.uniform(squares, (_MOST, _MOST)),
  )


def _cut_out(pixels: jax.Array, board: Board, severity: jax.Array) -> jax.Array:
  rows, columns = points(pixels.shape)
  cosine, sine = jnp.cos(board.angle), jnp.sin(board.angle)
  across = (cosine * rows + sine * columns) / board.size
  along = (cosine * columns - sine * rows) / board.size
  count = (4 * side(pixels.shape) / board.size).astype(jnp.int32)

  def number(place: jax.Array) -> jax.Array:
    """Squares at both sides of zero have one number; others below it count from the end."""
    return place.astype(jnp.int32) % count

  def odd(place: jax.Array) -> jax.Array:
    return jnp.floor(place) % 2

  black = odd(across) == odd(along)
  grey = board.squares[number(across), number(along)] < severity / 10
  return jnp.where((black & grey)[..., None], _GREY, pixels)


checkerboard_cutout = Corruption(
  draw=_draw,
  apply=_cut_out,
  levels=constants(imagenet=(2.0, 3.0, 4.0, 5.0, 6.0), cifar=(1.0, 2.0, 3.0, 4.0, 5.0)),
)
