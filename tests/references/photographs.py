"""Photographs to corrupt: an astronaut (scikit-image), a temple and a flower (scikit-learn)."""

import functools

import numpy as np
import skimage.data
import sklearn.datasets
from PIL import Image


@functools.cache
def photographs(size: int = 224) -> np.ndarray:
  """uint8 [3, size, size, 3]."""
  pictures = (skimage.data.astronaut(), *sklearn.datasets.load_sample_images().images)
  resized = [Image.fromarray(picture).resize((size, size)) for picture in pictures]
  return np.stack([np.asarray(picture) for picture in resized])
