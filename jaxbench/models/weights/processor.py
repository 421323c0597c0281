"""What transformers' image processors do, from preprocessor_config.json."""

import math
import pathlib
from typing import Any

from jaxbench.models.preprocess import Preprocess
from jaxbench.models.weights import sidecar
from jaxbench.models.weights.sidecar import Fields

_RESAMPLING = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic"}  # Pillow's numbers.


def read(folder: pathlib.Path) -> Fields:
  """The image processor of a folder; newer releases nest it in processor_config.json."""
  nested = folder / "processor_config.json"
  if not (folder / "preprocessor_config.json").exists() and nested.exists():
    return sidecar.read(nested).sub("image_processor")
  return sidecar.read(folder / "preprocessor_config.json")


def normalisation(images: Fields) -> dict[str, Any]:
  """Mean and std, as fields of our configurations."""
  if not math.isclose(images.get("rescale_factor", 1 / 255), 1 / 255):
    raise images.error("rescale_factor is not 1/255: images are in [0, 1] here")
  if not images.get("do_normalize", True):
    return {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
  return {"mean": images.triple("image_mean"), "std": images.triple("image_std")}


def resize_and_crop(images: Fields, square: bool, crops: bool) -> Preprocess:
  """Resize and crop; `square` and `crops` are what the processor class does unless told.

  A bare number in "size" is both sides to classes that squash, the short side to the others.
  """
  size, crop = images.need("size"), images.get("crop_size", None)
  if isinstance(size, int):
    size = {"height": size, "width": size} if square else {"shortest_edge": size}
  crop = crop.get("height") if isinstance(crop, dict) else crop
  resample = images.choose("resample", images.need("resample"), _RESAMPLING)
  crop = crop if images.get("do_center_crop", crops) else None
  if "shortest_edge" in size:
    if crop is None:
      raise images.error("resizes the short side and crops nothing: the size is not fixed")
    return Preprocess(crop, size["shortest_edge"], resample)
  if size.get("height") != size.get("width") or size.get("height") is None:
    raise images.error(f"size {size} is not a square")
  return Preprocess(crop or size["height"], size["height"], resample, squash=True)


def fitting(images: Fields, preprocess: Preprocess, size: int) -> Preprocess:
  """`preprocess`, if its images have the `size` that the model's configuration says."""
  if preprocess.size != size:
    raise images.error(
      f"its images have {preprocess.size} pixels, which contradicts image_size {size} of the model"
    )
  return preprocess


def crop_fraction(images: Fields) -> Preprocess:
  """ConvNeXt's image processor, which ResNet shares: from 384 on it squashes."""
  size = images.need("size")
  size = size["shortest_edge"] if isinstance(size, dict) else size
  resample = images.choose("resample", images.need("resample"), _RESAMPLING)
  if size >= 384:
    return Preprocess(size, size, resample, squash=True)
  return Preprocess(size, int(size / images.get("crop_pct", 224 / 256)), resample)
