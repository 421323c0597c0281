"""A vision tower alone, as robust ones are published, on the model whose text tower it shares.

RobustVLM's FARE and TeCoA are open_clip's `visual`; TeCoA's own code, PMG-AFT, TGA-ZSR and TTC
write OpenAI's as "vision_encoder_state_dict"; LLaVA's kin publish transformers' CLIPVisionModel.
"""

import dataclasses
import itertools
import math
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from etils import epath
from flax import nnx

from jaxbench import errors
from jaxbench.models.architectures import ARCHITECTURES, Config, Model, family
from jaxbench.models.family import OPEN_CLIP
from jaxbench.models.parts.transformer import TowerConfig
from jaxbench.models.weights import (
  checkpoint,
  files,
  huggingface,
  mapping,
  open_clip,
  orbax,
  processor,
  sidecar,
)
from jaxbench.models.weights.checkpoint import Description
from jaxbench.models.weights.files import Tensors
from jaxbench.models.weights.mapping import Renamings, Source

_ALONE: Renamings = ((r"^(visual|vision_model)\.", ""),)
_OTHER = "it is the tower of another model; name that one as its base"
_PROJECTION, _PATCHES = "visual.proj", "visual.conv1.kernel"


class Tower(NamedTuple):
  """Opened, and found to fit a base."""

  tensors: Tensors
  sources: Mapping[str, Source]  # By our names.
  antialias: bool | None  # When position embeddings are resized; None where they are not.
  source: str  # For the report.
  key: str | None  # Which network of the file.


def read(
  place: pathlib.Path,
  source: str,
  base: str,
  config: Any,
  *,
  key: str | None = None,
  resizes: bool = False,
) -> Tower:
  """The tower at `place`.

  Args:
    place: a file of bare tensors, or a folder of transformers.
    source: how the report calls it.
    base: how messages call the model that it goes on.
    config: of that model.
    key: of a file with several networks, which one; see `containers.chosen`.
    resizes: whether position embeddings are brought to the size of images of the base.

  Raises:
    InputError: the base has no text tower, or there is something else, or another model's tower.
  """
  if not isinstance(config, Config):
    raise errors.InputError(
      f"{base}: a vision tower goes on networks of this package, and this is another; put it in "
      "where that is made"
    )
  if config.supervised:
    raise errors.InputError(
      f"{base}: a vision tower needs the CLIP or SigLIP whose text tower it shares, and this is "
      "none; models.list_models() has them"
    )
  opened = files.open_tensors(_weights(place, config) if place.is_dir() else place, key)
  library, renamings = _layout(opened, config)
  shapes = checkpoint.shapes(config)
  sources = {name: mapping.source(name, renamings) for name in _names(config)}
  convolution = next(name for name in sources if len(shapes[name].shape) == 4)
  _check_alone(opened, sources[convolution])
  source = f"{source}:{key}" if key else source
  if _PROJECTION in sources and sources[_PROJECTION].names[0] not in opened.names:
    del sources[_PROJECTION]
    source = f"{source} without a projection, which is the base's"
  for name, stored in sources.items():
    if not (resizes and checkpoint.is_resized(name)):
      shape = mapping.joined(name, stored, shapes[name].shape)
      _check_shape(opened, stored, shape, base, sources)
  mapping.check(opened, sources.values())
  mapping.check_normalizer(opened, config.mean, config.std)
  if place.is_dir():
    _check_folder(place, base, config, resizes)
  return Tower(opened, sources, library == OPEN_CLIP if resizes else None, source, key)


def describe(base: Description, tower: Tower) -> Description:
  """That of `base` with another tower."""
  digest = files.combined(base.sha256, files.sha256(tower.tensors.files, tower.key))
  source = f"{base.source}; vision tower of {tower.source}"
  return dataclasses.replace(base, sha256=digest, source=source)


def put(model: Model, tower: Tower) -> Model:
  """`model` with another tower, each tensor in the dtype found.

  Raises:
    InputError: a tensor is not of finite floating numbers.
  """
  arrays = checkpoint.tensors(model)
  of_tower = checkpoint.read(tower.tensors, tower.sources, arrays, tower.antialias)
  return checkpoint.fill(nnx.clone(model), arrays | of_tower)  # A file's own model stays as it is.


def _whole(place: epath.PathLike) -> errors.InputError:
  """The error for what is more than a tower."""
  return errors.InputError(
    f"{place}: holds a whole model, not a vision tower alone: load it by itself, without a base"
  )


def _names(config: Config) -> list[str]:
  """Of the arrays of a tower."""
  return [name for name in checkpoint.shapes(config) if name.startswith("visual.")]


def _layout(opened: Tensors, config: Config) -> tuple[str, Renamings]:
  """The library that keeps its tensors as the file does, and how that is."""
  held = set(opened.names)

  def missing(choice: tuple[str, Renamings]) -> int:
    return mapping.missing(held, _names(config), choice[1])

  layouts = family(config).layouts(config).items()
  whole = [(library, renamings) for library, several in layouts for renamings in several]
  alone = [(library, (*renamings, *_ALONE)) for library, renamings in whole]
  # What is one network of timm, and no more, has that prefix throughout, which is taken off.
  bare = [(library, (*renamings, (r"^trunk\.", ""))) for library, renamings in alone]
  return min([*alone, *whole, *bare], key=missing)


def _check_alone(opened: Tensors, convolution: Source) -> None:
  """Raises InputError for a file with a text tower, which has no `convolution`."""
  if not any("token_embedding" in name for name in opened.names):
    return
  if convolution.names[0] in opened.names:
    raise _whole(opened.path)
  raise errors.InputError(
    f"{opened.path}: holds a text tower alone; the file of a vision tower is needed here"
  )


def _check_shape(
  opened: Tensors, stored: Source, shape: tuple[int, ...], base: str, sources: Mapping[str, Source]
) -> None:
  """Raises InputError where a tensor is that of another model."""
  if not all(name in opened.arrays for name in stored.names):
    return  # `mapping.check` tells.
  parts = [tuple(opened.arrays[name].shape) for name in stored.names]
  found = parts[0] if len(parts) == 1 else (sum(part[0] for part in parts), *parts[0][1:])
  if mapping.without_ones(found) != mapping.without_ones(shape):
    likely = ", ".join(itertools.islice(_likely(opened, sources), 2))
    raise errors.InputError(
      f"{opened.path}: {' and '.join(stored.names)} has shape {list(found)}, that of {base} "
      f"{list(shape)}: {_OTHER}" + (f" (its sizes are those of {likely})" if likely else "")
    )


def _likely(opened: Tensors, sources: Mapping[str, Source]) -> Iterator[str]:
  """Architectures whose towers have patches, width and positions as those of the file."""
  patches, table = (
    opened.arrays.get(sources[name].names[0]) if name in sources else None
    for name in (_PATCHES, "visual.positional_embedding")
  )
  if patches is None or table is None or len(table.shape) != 2:
    return
  for name, config in ARCHITECTURES.items():
    patch, tower = getattr(config, "patch_size", None), getattr(config, "vision", None)
    if patch and isinstance(tower, TowerConfig):
      sizes = (tower.width, 3, patch, patch), config.preprocess.size // patch
      if (tuple(patches.shape), math.isqrt(table.shape[0])) == sizes:
        yield name


def _weights(folder: pathlib.Path, config: Config) -> pathlib.Path:
  """Those of a folder that transformers wrote of a tower of the family of `config`."""
  if (folder / open_clip.CONFIG).exists() or orbax.is_checkpoint(epath.Path(folder)):
    raise _whole(folder)
  kind = family(config).transformers
  assert kind is not None
  fields = sidecar.read(folder / "config.json")
  if fields.get("model_type", None) == kind.model_type:
    raise _whole(folder)
  fields.choose("model_type", {kind.vision_type: kind})
  return sidecar.weights(folder, *huggingface.WEIGHTS)


def _check_folder(folder: pathlib.Path, base: str, config: Any, resizes: bool) -> None:
  """Raises InputError where what no shape tells contradicts the base."""
  kind = family(config).transformers
  assert kind is not None and kind.read_vision is not None
  fields = sidecar.read(folder / "config.json")
  tower = kind.read_vision(fields).tower
  pairs = {name: (value, getattr(config.vision, name)) for name, value in vars(tower).items()}
  if (folder / "preprocessor_config.json").exists():
    images = processor.read(folder, kind.processor)
    pairs |= {"mean": (images.mean, config.mean), "std": (images.std, config.std)}
    if not resizes:
      pairs["preprocess"] = (images.preprocess, config.preprocess)
  for name, (theirs, ours) in pairs.items():
    if theirs != ours:
      raise errors.InputError(
        f"{folder}: {name} is {theirs}, and that of {base} is {ours}: {_OTHER}"
      )
