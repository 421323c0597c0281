"""Photographs of scikit-image, and a temple and a flower of scikit-learn."""

import functools

import numpy as np
import skimage.data
import sklearn.datasets
from PIL import Image


@functools.cache
def photographs(size: int = 224) -> np.ndarray:
  """To corrupt: uint8 [3, size, size, 3]."""
  pictures = (skimage.data.astronaut(), *sklearn.datasets.load_sample_images().images)
  resized = [Image.fromarray(picture).resize((size, size)) for picture in pictures]
  return np.stack([np.asarray(picture) for picture in resized])


def of_classes() -> dict[str, tuple[Image.Image, tuple[int, ...]]]:
  """To classify, by name: the picture, and which of ImageNet's classes are right."""
  china, flower = sklearn.datasets.load_sample_images().images
  pictures = {
    "cat": (skimage.data.cat(), (282, 281, 285)),  # Tiger cat, tabby, Egyptian Mau.
    "coffee": (skimage.data.coffee(), (967,)),  # Espresso.
    "camera": (skimage.data.camera(), (872,)),  # On its tripod.
    "rocket": (skimage.data.rocket(), (657, 744)),  # Missile, projectile.
    "china": (china, (698,)),  # Palace.
    "flower": (flower, (985,)),  # Daisy.
  }
  return {name: (Image.fromarray(pixels), right) for name, (pixels, right) in pictures.items()}
