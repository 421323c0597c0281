"""How visible perturbations are, over the examples of some cells."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa


class Visibility(NamedTuple):
  """Medians over examples whose perturbed image was judged."""

  examples: int
  psnr: float  # In decibels; infinite where most images are as they were.
  ssim: float | None  # In [-1, 1]; None of images smaller than its window.


def visibility(cells: Sequence[pa.Table]) -> Visibility | None:
  """Of cells that have been perturbed alike; None where nothing is known of any example.

  Args:
    cells: rows of each; versions before 0.2 have measured nothing.
  """
  psnr, ssim = (_known(cells, name) for name in ("psnr", "ssim"))
  if not len(psnr):
    return None
  return Visibility(len(psnr), _median(psnr), _median(ssim) if len(ssim) else None)


def _known(cells: Sequence[pa.Table], name: str) -> np.ndarray:
  parts = [rows[name].drop_null().to_numpy() for rows in cells]
  return np.concatenate([np.zeros(0, np.float32), *parts])


def _median(values: np.ndarray) -> float:
  """One of the values, so that infinite ones can be among them."""
  return float(np.quantile(values, 0.5, method="inverted_cdf"))
