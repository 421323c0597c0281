"""Folders that timm writes: config.json with its architecture's name, model.safetensors."""

import dataclasses
import math
import pathlib
from collections.abc import Mapping
from typing import Any

from jaxbench.models.architectures import ARCHITECTURES, FAMILIES, family
from jaxbench.models.classifiers.classifier import ClassifierConfig
from jaxbench.models.family import TIMM
from jaxbench.models.preprocess import Preprocess
from jaxbench.models.weights import sidecar, unbuilt
from jaxbench.models.weights.checkpoint import Checkpoint
from jaxbench.models.weights.sidecar import Fields, Unread, words

# Of each of timm's names, ours and what differs from it.
NAMES: dict[str, tuple[str, Mapping[str, Any]]] = {
  name: entry
  for row in FAMILIES.values()
  if row.timm is not None
  for name, entry in row.timm.names.items()
}
_UNREAD = Unread(words("label_descriptions label_names labels license num_features"), {})
_ARGUMENTS_UNREAD = Unread(words("drop_path_rate drop_rate"), {"in_chans": (3,)})
_IMAGES_UNREAD = Unread(
  words(
    """
    architecture classifier custom_load description file first_conv fixed_input_size hf_hub_filename
    hf_hub_id label_descriptions label_names license min_input_size notes origin_url paper_ids
    paper_name pool_size source tag test_pool_size url
    """
  ),
  {"label_offset": (0,)},
)


def read(folder: pathlib.Path, source: str) -> Checkpoint:
  """The checkpoint in `folder`; preprocessing is that of its own `pretrained_cfg`.

  Raises:
    InputError: a file or field is missing, a field is not known, or the architecture is another.
  """
  fields = sidecar.read(folder / "config.json")
  images = fields.sub("pretrained_cfg")
  if "architecture" not in fields.content:
    raise fields.error("neither transformers' (model_type) nor timm's (architecture)")
  name = fields.need("architecture")
  if not isinstance(name, str) or name not in NAMES:
    raise unbuilt.timm(fields, str(name), NAMES)
  config = named(name)
  row = family(config)
  assert row.timm is not None
  arguments = fields.sub("model_args")
  config = row.timm.built(config, arguments)
  config = _pooled(config, row.timm.pools, fields, arguments)
  shown = preprocessing(images)
  count = fields.get("num_classes", shown.pop("num_classes"))
  if fields.count("num_classes", count) != arguments.count("num_classes", count):
    raise fields.error("num_classes contradicts model_args")
  if arguments.side("img_size", shown["preprocess"].size) != shown["preprocess"].size:
    raise arguments.error("img_size contradicts pretrained_cfg")
  fields.finish(_UNREAD)
  arguments.finish(_ARGUMENTS_UNREAD)
  weights = sidecar.weights(folder, "model.safetensors", "pytorch_model.bin")
  config = dataclasses.replace(config, num_classes=count, **shown)
  return Checkpoint(config, weights, row.layouts(config)[TIMM], source)


def _pooled(
  config: Any, pools: Mapping[str, Mapping[str, Any]], fields: Fields, arguments: Fields
) -> Any:
  """`config` with the `global_pool` of the `model_args`; without it, as its name has it."""
  table = {name: name for name in pools}
  own = next(name for name in pools if dataclasses.replace(config, **pools[name]) == config)
  built = arguments.choose("global_pool", table, own)
  if (said := fields.choose("global_pool", table, built)) != built:
    raise fields.error(f"global_pool is {said!r}, and what is built of model_args has {built!r}")
  return dataclasses.replace(config, **pools[built])


def named(name: str) -> ClassifierConfig:
  """The architecture that timm calls `name`; how its images come is for each of its weights."""
  ours, changes = NAMES[name]
  config = ARCHITECTURES[ours]
  assert isinstance(config, ClassifierConfig)
  return dataclasses.replace(config, **changes)


def preprocessing(images: Fields) -> dict[str, Any]:
  """Fields of our configurations from a `pretrained_cfg`, as timm's validate.py takes them.

  That is, at the size and crop for tests, where there are such.
  """
  sizes = [_square(images, key) for key in ("input_size", "test_input_size")]
  size = sizes[1] or sizes[0] or 224
  crop = images.number("crop_pct", 0.875)
  crop = images.number("test_crop_pct", crop)
  if not 0 < crop <= 1:
    raise images.error(f"a crop of {crop} is not between 0 and 1")
  shown = {
    "preprocess": Preprocess(
      size,
      math.floor(size / crop),
      images.choose("interpolation", {"bicubic": "bicubic", "bilinear": "bilinear"}, "bicubic"),
      squash=images.choose("crop_mode", {"center": False, "squash": True}, "center"),
    ),
    "mean": images.triple("mean"),
    "std": images.deviations("std"),
    "num_classes": images.get("num_classes", None),
  }
  images.finish(_IMAGES_UNREAD)
  return shown


def _square(images: Fields, key: str) -> int | None:
  """Of [channels, height, width], the side."""
  value = images.get(key, None)
  if value is None:
    return None
  if not isinstance(value, list | tuple) or len(value) != 3 or value[0] != 3:
    raise images.error(f"{key} is {value!r}, not [3, height, width]")
  return Fields(images.path, {key: list(value[1:])}, images.place).side(key)
