"""The packages imagecorruptions and imagenet_c, patched where today's libraries would stop them."""

import functools
import importlib
import importlib.resources
import sys
import types

import numpy as np
import scipy.ndimage
import skimage.filters


def _gaussian(image, sigma, multichannel=False, **options):
  axis = -1 if multichannel else None
  return skimage.filters.gaussian(image, sigma=sigma, channel_axis=axis, **options)


@functools.cache
def package(name):
  resources = types.ModuleType("pkg_resources")
  resources.resource_filename = lambda module, path: str(
    importlib.resources.files("imagecorruptions") / path
  )
  interpolation = types.ModuleType("scipy.ndimage.interpolation")
  interpolation.map_coordinates = scipy.ndimage.map_coordinates
  sys.modules["pkg_resources"] = resources
  sys.modules["scipy.ndimage.interpolation"] = interpolation
  np.float_, np.fromstring = np.float64, np.frombuffer  # noqa: NPY201
  found = importlib.import_module(name)
  found.corruptions.gaussian = _gaussian
  return found
