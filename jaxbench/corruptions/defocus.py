"""Defocus blur (Hendrycks & Dietterich, 2019, arXiv:1903.12261; constants of its code)."""

import jax
import jax.numpy as jnp
import numpy as np
import scipy

from jaxbench.corruptions.base import Corruption, Level, nothing, of_variant

# Radius and softness of the disc, and what is added before the cut, in 1e-5 of a level: the sum of
# the reference's float32 kernel falls on one side of 1, and so do all flat areas. Hard discs have
# many exact ties more, which must not be left to the rounding of the transforms.
_DISCS = {
  "imagenet": ((3, 0.1, -10), (4, 0.5, -3), (6, 0.5, -3), (8, 0.5, 0), (10, 0.5, 0)),
  "tiny": ((0.5, 0.6, 3), (1, 0.1, 10), (1.5, 0.1, 10), (2.5, 0.01, 10), (3, 0.1, -10)),
  "cifar": ((0.3, 0.4, 3), (0.4, 0.5, 3), (0.5, 0.6, 3), (1, 0.2, 1), (1.5, 0.1, 10)),
  "inception": ((4, 0.1, -10), (5, 0.5, 3), (7, 0.5, 0), (10, 0.5, 0), (12, 0.5, 0)),
}
_MARGIN = 12  # The largest radius.


def _kernel(radius: float, softness: float) -> np.ndarray:
  """float64 [2R + 1, 2R + 1]; a disc at the border is mirrored there and so sums to more than 1."""
  reach = 8 if radius <= 8 else int(radius)
  line = np.arange(-reach, reach + 1)
  disc = np.float64(line[:, None] ** 2 + line**2 <= radius**2)
  return scipy.ndimage.gaussian_filter(
    disc / disc.sum(), softness, radius=1 if radius <= 8 else 2, mode="mirror"
  )


def _canvas(height: int, width: int) -> tuple[int, int]:
  """The size of the transforms: the image, its margins, and up to what is fast."""
  rows = scipy.fft.next_fast_len(height + 2 * _MARGIN, real=True)
  return rows, scipy.fft.next_fast_len(width + 2 * _MARGIN, real=True)


def _levels(variant: str, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
  """The kernels' spectra, and what is added before the cut."""
  discs = of_variant(_DISCS, variant)
  spectra = []
  for radius, softness, _ in discs:
    canvas, kernel = np.zeros(_canvas(height, width)), _kernel(radius, softness)
    canvas[: len(kernel), : len(kernel)] = kernel
    centred = np.roll(canvas, (-(len(kernel) // 2),) * 2, axis=(0, 1))
    spectra.append(scipy.fft.rfft2(centred))
  return np.asarray(spectra, np.complex64), np.array(
    [1e-5 * lean for _, _, lean in discs], np.float32
  )


def _blur(pixels: jax.Array, draws: tuple[()], level: Level) -> jax.Array:
  """By Fourier transforms: the kernel is not separable and has up to 585 taps."""
  spectrum, lean = level
  height, width, _ = pixels.shape
  canvas = _canvas(height, width)
  margins = [(_MARGIN, _MARGIN), (_MARGIN, _MARGIN), (0, 0)]
  # Around zero, where the transforms round least; the spectrum begins with the kernel's sum.
  grey = 128.0
  wide = jnp.pad(pixels - grey, margins, mode="reflect").transpose(2, 0, 1)
  blurred = jnp.fft.irfft2(jnp.fft.rfft2(wide, canvas) * spectrum[None], canvas)
  inside = blurred[:, _MARGIN : _MARGIN + height, _MARGIN : _MARGIN + width]
  return inside.transpose(1, 2, 0) + grey * spectrum[0, 0].real + lean


defocus_blur = Corruption(nothing, _blur, _levels)
