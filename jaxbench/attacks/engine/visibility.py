"""How visible a perturbation is: PSNR and SSIM of an image beside the clean one, by dm-pix."""

import functools
from collections.abc import Callable, Sequence

import dm_pix
import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from jaxbench import devices
from jaxbench.attacks.base import as_float

_WINDOW, _SIGMA = 11, 1.5  # Of SSIM (Wang et al., 2004), in pixels.
_TILE = 36  # Windows of a matrix product; fewer make more products, more make emptier matrices.
_dot = functools.partial(jax.lax.dot, precision=jax.lax.Precision.HIGHEST)


@struct.dataclass
class Visibility:
  """Of images; arrays [S] float32."""

  psnr: jax.Array  # In decibels; infinite where nothing has changed.
  ssim: jax.Array | None  # In [-1, 1], the mean over channels; None of images smaller than 11 x 11.


@functools.cache
def measure() -> Callable[..., Visibility]:
  """A sharded program (nothing, clean images, perturbed images) -> Visibility.

  It is apart from what makes and judges images, so that no figure of theirs depends on it.
  """

  def measured(_: tuple[()], clean: jax.Array, perturbed: jax.Array) -> Visibility:
    before, after = as_float(clean), as_float(perturbed)
    return jax.lax.platform_dependent(before, after, cpu=_one_by_one, default=jax.vmap(_beside))

  return devices.shard(measured, network=False)


def _one_by_one(before: jax.Array, after: jax.Array) -> Visibility:
  """A processor's cache holds what one image needs, not what all do: half the time."""
  return jax.lax.map(lambda pair: _beside(*pair), (before, after))


def _beside(before: jax.Array, after: jax.Array) -> Visibility:
  """Of one image [H, W, 3]."""
  psnr = dm_pix.psnr(before, after)
  if not has_windows(before.shape):
    return Visibility(psnr, None)
  height, _, channels = before.shape
  flat = [image.reshape(height, -1, 1) for image in (before, after)]  # Long rows, good for vectors.
  smoothed = functools.partial(_smoothed, channels=channels)
  return Visibility(psnr, _mean(dm_pix.ssim(*flat, filter_fn=smoothed, return_map=True)))


def has_windows(shape: Sequence[int]) -> bool:
  """Whether images [..., H, W, 3] are large enough for SSIM."""
  return min(shape[-3:-1]) >= _WINDOW


def columns(clean: np.ndarray, perturbed: np.ndarray, slots: int) -> dict[str, np.ndarray]:
  """Columns of records, [N], of images [N, H, W, 3] on the host, float32 in [0, 1] or uint8."""
  batches = devices.stream(measure(), devices.replicate(()), (clean, perturbed), slots)
  return joined([batch.fetch() for batch in batches])


def joined(parts: Sequence[Visibility]) -> dict[str, np.ndarray]:
  """Columns of records, [N], of some batches that have been fetched."""
  fields = [vars(part) for part in parts]
  known = [name for name, values in (fields[0] if fields else {}).items() if values is not None]
  return {name: np.concatenate([part[name] for part in fields]) for name in known}


def _smoothed(flat: jax.Array, channels: int) -> jax.Array:
  """SSIM's Gaussian along both axes of [H, W * C, 1], where the window fits; the same as dm-pix'.

  Along the height by products with small banded matrices, then by shifted sums: the products keep
  XLA from fusing both into one loop, which would sum 121 values a window.
  """
  rows = flat[..., 0]
  windows = np.arange(len(rows) - _WINDOW + 1)
  tiles = np.array_split(windows, max(1, round(len(windows) / _TILE)))
  smoothed = jnp.concatenate(
    [_dot(_band(len(tile)), rows[tile[0] : tile[-1] + _WINDOW]) for tile in tiles]
  )
  width = smoothed.shape[1] - (_WINDOW - 1) * channels
  shifted = (smoothed[:, place * channels :][:, :width] for place in range(_WINDOW))
  return functools.reduce(jnp.add, map(jnp.multiply, _kernel(), shifted))[..., None]


def _mean(values: jax.Array) -> jax.Array:
  """Of [H, W, 1]; by a product, since what XLA fuses with a sum is computed one by one."""
  return _dot(values[..., 0], np.full((values.shape[1], 1), 1 / values.shape[1], np.float32)).mean()


def _band(size: int) -> np.ndarray:
  """float32 [size, size + 10]: a row each window."""
  kernel = _kernel()
  matrix = np.zeros((size, size + _WINDOW - 1), np.float32)
  for place in range(size):
    matrix[place, place : place + _WINDOW] = kernel
  return matrix


def _kernel() -> np.ndarray:
  """float32 [11]: the Gaussian along one axis."""
  kernel = np.exp(-0.5 * ((np.arange(_WINDOW) - _WINDOW // 2) / _SIGMA) ** 2)
  return (kernel / kernel.sum()).astype(np.float32)
