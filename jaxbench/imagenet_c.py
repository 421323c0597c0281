"""Writes corrupted images to disk as ImageNet-C is laid out: corruption/severity/class/file.

  python -m jaxbench.imagenet_c --data=imagenet --out=FOLDER [--names=fog,snow] [--quality=85]

The same command goes on where it was stopped: files that are there are left alone; another one is
refused. A run with storage="jpeg85" judges the same pictures, if its preprocessing is that of the
files (by default ImageNet-C's, which is not CLIP's) and so are seed, variant and photographs.
"""

import dataclasses
import io
import json
import pathlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from absl import flags
from PIL import Image
from tqdm import tqdm

from jaxbench import blocks, config, corruptions, data, devices, errors, models, program, seats
from jaxbench.plan.perturbations import Corruption, corruption
from jaxbench.storage import atomic, places

_FLAGS = flags.FlagValues()
_DATA = flags.DEFINE_string(
  "data", None, "The clean data set, as --config.data names it.", flag_values=_FLAGS
)
_ROOT = flags.DEFINE_string(
  "data_root", None, "Folder of the data sets; or set JAXBENCH_DATA.", flag_values=_FLAGS
)
_OUT = flags.DEFINE_string("out", None, "Folder to write to.", flag_values=_FLAGS)
_NAMES = flags.DEFINE_list(
  "names", list(corruptions.NAMES), "Corruptions; all fifteen by default.", flag_values=_FLAGS
)
_SEVERITIES = flags.DEFINE_list(
  "severities", ["1", "2", "3", "4", "5"], "Which ones.", flag_values=_FLAGS
)
_VARIANT = flags.DEFINE_enum(
  "variant", "imagenet", corruptions.VARIANTS, "Whose constants.", flag_values=_FLAGS
)
_IM_ROUND = flags.DEFINE_enum(
  "im_round",
  "nearest",
  corruptions.IM_ROUNDS,
  "How ImageMagick rounds in motion blur and snow.",
  flag_values=_FLAGS,
)
_TEXTURES = flags.DEFINE_string(
  "textures", "", "Folder of frost's photographs.", flag_values=_FLAGS
)
_QUALITY = flags.DEFINE_integer(
  "quality", 85, "Of the JPEG files.", lower_bound=1, upper_bound=100, flag_values=_FLAGS
)
_SIZE = flags.DEFINE_integer(
  "size", 224, "Pixels of both sides.", lower_bound=32, flag_values=_FLAGS
)
_RESIZE = flags.DEFINE_integer(
  "resize", 256, "Of the short side, before the centre is cut out.", flag_values=_FLAGS
)
_SEED = flags.DEFINE_integer("seed", 0, "Of the randomness.", lower_bound=0, flag_values=_FLAGS)
_LIMIT = flags.DEFINE_integer(
  "limit", 0, "So many images, a random sample; 0 is all.", lower_bound=0, flag_values=_FLAGS
)


def write(
  source: data.Source,
  folder: pathlib.Path,
  names: Sequence[str] = corruptions.NAMES,
  severities: Sequence[int] = (1, 2, 3, 4, 5),
  *,
  settings: config.Corruptions | None = None,
  preprocess: models.Preprocess | None = None,
  quality: int = 85,
  seed: int = 0,
  limit: int = 0,
  slots: int = 32,
  block: int = 256,
) -> list[str]:
  """Writes what is not there yet; a file appears whole or not at all.

  Args:
    source: of clean images.
    folder: for the files.
    names: from `corruptions.NAMES`, `EXTRA_NAMES` or `C_BAR_NAMES`.
    severities: 1 to 5.
    settings: variant, ImageMagick's rounding and frost's photographs; its names, severities and
      storage are not looked at.
    preprocess: by default ImageNet-C's: 256 pixels, bilinear, then the centre of 224.
    quality: of JPEG, 1 to 100.
    seed: of the randomness.
    limit: so many images, a random sample; 0 is all.
    slots: images per device and batch, at the most.
    block: images in memory, decoded, at a time.

  Returns:
    Why images could not be read, a line each; they have no files.

  Raises:
    InputError: a name or severity is unknown, frost has no photographs, `preprocess` crops more
      than it leaves, ids differ in capitals alone, or the folder holds files that were made
      otherwise.
  """
  plain = dataclasses.replace(settings or config.Corruptions(), storage="none")
  slots = seats.even(min(block, limit or len(source)), slots)
  writer = _Writer(folder, plain, quality, seed, slots, data.layout(source))
  preprocess = preprocess or models.Preprocess(224, resize=256, interpolation="bilinear")
  if preprocess.resize is not None and preprocess.resize < preprocess.size:
    raise errors.InputError(
      f"images resized to {preprocess.resize} pixels have no centre of {preprocess.size}"
    )
  if unknown := [severity for severity in severities if severity not in (1, 2, 3, 4, 5)]:
    raise errors.InputError(f"severities go from 1 to 5, not {unknown[0]}")
  wanted = [(name, severity) for name in names for severity in severities]
  for name, severity in wanted:
    Corruption.of(name, severity, writer.settings)
  order = data.sample(source, limit)
  hashes = zip(
    (source.ids[index] for index in order), data.image_hashes(source, order), strict=True
  )
  writer.claim({"preprocess": models.told(preprocess)}, dict(hashes))
  parts = data.blocks(source, order, block)
  broken = []
  with tqdm(total=len(order) * len(wanted), unit="file", disable=None) as bar:
    for images, lost in blocks.stream(source, parts, preprocess, [0] * len(parts), 0):
      broken += [f"{name}: {why}" for name, why in zip(lost.ids, lost.errors, strict=True)]
      for name, severity in wanted:
        writer.write(images, name, severity)
        bar.update(len(images.ids))
  return broken


class _Writer(NamedTuple):
  """Where and how; see `write`."""

  folder: pathlib.Path
  settings: config.Corruptions
  quality: int
  seed: int
  slots: int
  places: Mapping[str, pathlib.Path]  # Of each id, below the folder of a severity.

  def claim(self, made_of: dict[str, Any], images: Mapping[str, str | None]) -> None:
    """Writes down how the files of the folder are made.

    Args:
      made_of: settings that decide the files, besides the writer's own.
      images: of which they are made, hashes by id.

    Raises:
      InputError: it holds others.
    """
    file = self.folder / "settings.json"
    here = made_of | {"quality": self.quality, "seed": self.seed, "variant": self.settings.variant}
    here |= {"im_round": self.settings.im_round}
    if photographs := corruption.photographs(self.settings.textures):
      here["frost"] = photographs
    recorded = json.loads(file.read_text()) if file.exists() else {}
    differing = [name for name in here if recorded.get(name, here[name]) != here[name]]
    before = recorded.pop("data", {})
    if isinstance(before, str) or any(
      before.get(name, content) != content for name, content in images.items()
    ):
      differing.insert(0, "data")
    if differing:
      raise errors.InputError(
        f"{self.folder} holds files of another {' and '.join(differing)}; name another folder"
      )
    self.folder.mkdir(parents=True, exist_ok=True)
    atomic.write(file, json.dumps(recorded | here | {"data": before | images}, indent=1).encode())

  def write(self, images: blocks.Block, name: str, severity: int) -> None:
    """Writes one corruption at one severity of those images that have no file yet."""
    folder = self.folder / name / str(severity)
    files = [folder / self.places[name] for name in images.ids]
    missing = np.array([row for row, file in enumerate(files) if not file.exists()], int)
    if not len(missing):
      return
    some = images.at(missing)
    made, arrays = Corruption.of(name, severity, self.settings), (some.hashes, some.images)
    inputs = devices.replicate(made.inputs(some.images.shape[1:3]))
    for batch in devices.stream(made.program(self.seed), inputs, arrays, self.slots):
      pixels = np.rint(batch.fetch() * 255).astype(np.uint8)
      for row, image in zip(missing[batch.examples], pixels, strict=True):
        _save(image, files[row], self.quality)


def _save(image: np.ndarray, file: pathlib.Path, quality: int) -> None:
  buffer = io.BytesIO()
  Image.fromarray(image).save(buffer, "JPEG", quality=quality)
  file.parent.mkdir(parents=True, exist_ok=True)
  atomic.write(file, buffer.getvalue(), durable=False)


def _severities() -> list[int]:
  try:
    return [int(severity) for severity in _SEVERITIES.value]
  except ValueError as error:
    raise errors.InputError(f"--severities={','.join(_SEVERITIES.value)}: write 1,2,5") from error


def _write(arguments: Sequence[str]) -> int:
  if arguments or not _DATA.value or not _OUT.value:
    raise errors.InputError("usage: python -m jaxbench.imagenet_c --data=imagenet --out=FOLDER")
  places.for_folder("--out", _OUT.value)
  devices.use_all_cores()
  devices.use_compilation_cache()
  source = data.load(_DATA.value, _ROOT.value)
  if short := data.shortfall(_DATA.value, source):
    print(f"jaxbench.imagenet_c: {_DATA.value}: {short}", file=sys.stderr)
  broken = write(
    source,
    pathlib.Path(_OUT.value),
    _NAMES.value,
    _severities(),
    settings=config.Corruptions(
      variant=_VARIANT.value, im_round=_IM_ROUND.value, textures=_TEXTURES.value
    ),
    preprocess=models.Preprocess(_SIZE.value, resize=_RESIZE.value, interpolation="bilinear"),
    quality=_QUALITY.value,
    seed=_SEED.value,
    limit=_LIMIT.value,
  )
  for line in broken:
    print(f"jaxbench.imagenet_c: not written, {line}", file=sys.stderr)
  print(f"images: {_OUT.value}")
  return 1 if broken else 0


def main(arguments: Sequence[str]) -> int:
  """Returns the exit status."""
  return program.run("jaxbench.imagenet_c", __doc__, _FLAGS, _write, arguments)


if __name__ == "__main__":
  sys.exit(main(sys.argv[1:]))
