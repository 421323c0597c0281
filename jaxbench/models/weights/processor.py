"""What transformers' image processors do, from preprocessor_config.json."""

import math
import pathlib
import re
from typing import Any, NamedTuple

from jaxbench.models.preprocess import Preprocess
from jaxbench.models.weights import sidecar
from jaxbench.models.weights.sidecar import Fields, Unread, words

_RESAMPLING = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic"}  # Pillow's numbers.
_CROP = "floor"  # How all of its processors halve an odd margin.
# Images are RGB here, one at a time and in memory.
_UNREAD = Unread(
  words(
    """
    _processor_class _valid_processor_keys data_format device disable_grouping do_convert_rgb
    input_data_format processor_class return_tensors
    """
  ),
  {"do_pad": (False,), "do_reduce_labels": (False,), "rescale_offset": (False,)},
)


class Images(NamedTuple):
  """What a model takes, as fields of our configurations."""

  preprocess: Preprocess
  mean: tuple[float, float, float]
  std: tuple[float, float, float]


def read(folder: pathlib.Path, default: str) -> Images:
  """What the image processor of a folder does; newer releases nest it in processor_config.json.

  Args:
    folder: of the checkpoint.
    default: the class that transformers takes for this model where the file names none.

  Raises:
    InputError: a field is missing or does something else.
  """
  nested = folder / "processor_config.json"
  if not (folder / "preprocessor_config.json").exists() and nested.exists():
    fields = sidecar.read(nested).sub("image_processor")
  else:
    fields = sidecar.read(folder / "preprocessor_config.json")
  name = fields.get("image_processor_type", fields.get("feature_extractor_type", default))
  kind = re.sub(r"FeatureExtractor$|ImageProcessor(Fast|Pil)?$", "", str(name))
  readers = {
    "CLIP": _short_side,
    "Beit": lambda fields: _squash(fields, number=True),
    "Bit": _short_side,
    "DeiT": lambda fields: _squash(fields, number=True, crops=True),
    "MobileNetV2": _short_side,
    "ViT": lambda fields: _squash(fields, number=True),
    "Siglip": lambda fields: _squash(fields, number=False),
    "Siglip2": _square_of_patches,
    "ConvNext": _crop_fraction,
    "EfficientNet": lambda fields: _squash(fields, number=True),
  }
  if kind not in readers:
    raise fields.error(f"image processor {name!r} is not supported; supported are {list(readers)}")
  if not fields.flag("do_resize", True):
    raise fields.error("do_resize is false: images of any size come in, the model has one")
  preprocess = readers[kind](fields)
  mean, std = _normalisation(fields)
  if kind == "EfficientNet" and fields.flag("include_top", True):  # It divides by std once more,
    divisors = fields.deviations("image_std")  # whether it has normalised or not.
    std = tuple(deviation * divisor for deviation, divisor in zip(std, divisors, strict=True))
  fields.finish(_UNREAD)
  return Images(preprocess, mean, std)


def fitting(path: pathlib.Path, images: Images, size: int) -> Images:
  """`images`, if they have the `size` that the model's configuration says."""
  if images.preprocess.size != size:
    raise Fields(path, {}).error(
      f"its image processor gives {images.preprocess.size} pixels, which contradicts image_size "
      f"{size} of the model"
    )
  return images


def _normalisation(fields: Fields) -> tuple[Any, Any]:
  """Mean and std; images are in [0, 1] here, as a processor makes them of 8 bits."""
  rescaled = fields.flag("do_rescale", True)
  if not rescaled or not math.isclose(fields.number("rescale_factor", 1 / 255), 1 / 255):
    raise fields.error(
      "do_rescale is false, or rescale_factor is not 1/255: images are in [0, 1] here"
    )
  if not fields.flag("do_normalize", True):
    fields.skip("image_mean", "image_std")
    return (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
  return fields.triple("image_mean"), fields.deviations("image_std")


def _crop(fields: Fields, default: bool) -> int | None:
  """The side of the square that is cut from the centre, if one is."""
  if not fields.flag("do_center_crop", default):
    fields.skip("crop_size")
    return None
  return fields.side("crop_size")


def _short_side(fields: Fields) -> Preprocess:
  """CLIP's: the short side is resized, the centre cut out; or both sides, if both are given."""
  size = fields.need("size")
  if isinstance(size, dict) and "shortest_edge" not in size:
    return _squash(fields, number=False, crops=True)
  crop, resample = _crop(fields, True), fields.choose("resample", _RESAMPLING)
  if crop is None:
    raise fields.error("resizes the short side and crops nothing: the size is not fixed")
  return Preprocess(crop, _shortest(fields, size), resample, margin=_CROP)


def _shortest(fields: Fields, size: Any) -> int:
  """The length of the short side."""
  if not isinstance(size, dict):
    return fields.count("size")
  sides = fields.sub("size")
  short = sides.count("shortest_edge")
  sides.finish(sidecar.NOTHING)
  return short


def _squash(fields: Fields, number: bool, crops: bool = False) -> Preprocess:
  """Both sides are resized; whether a `number` is both of them depends on the class."""
  size = fields.need("size")
  if isinstance(size, int) and not number:
    raise fields.error(f"size {size} does not say of which side; it needs height and width")
  side, crop = fields.side("size"), _crop(fields, crops)
  resample, size = fields.choose("resample", _RESAMPLING), crop or side
  return Preprocess(size, side, resample, squash=True, margin=None if size == side else _CROP)


def _square_of_patches(fields: Fields) -> Preprocess:
  """NaFlex: as many patches as there may be, in the shape of the image; here of a square."""
  patches = fields.count("max_num_patches", 256)
  if (rows := math.isqrt(patches)) ** 2 != patches:
    raise fields.error(f"max_num_patches {patches} is no square; only square images are read here")
  side = rows * fields.side("patch_size", 16)
  return Preprocess(side, side, fields.choose("resample", _RESAMPLING, 2), squash=True)


def _crop_fraction(fields: Fields) -> Preprocess:
  """ConvNeXt's image processor, which ResNet shares: from 384 on it squashes."""
  short = _shortest(fields, fields.need("size"))
  resample, fraction = fields.choose("resample", _RESAMPLING), fields.number("crop_pct", 224 / 256)
  if _crop(fields, False) is not None:
    raise fields.error("do_center_crop is true, which crops a second time: not supported")
  if short >= 384:
    return Preprocess(short, short, resample, squash=True)
  if not 0 < fraction <= 1:
    raise fields.error(f"crop_pct {fraction} is not between 0 and 1")
  return Preprocess(short, int(short / fraction), resample, margin=_CROP)
