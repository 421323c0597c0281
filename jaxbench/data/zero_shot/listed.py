"""Sets whose test images and classes are in a list: a text file, a table, or JSON."""

import collections
import csv
import io
import json
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jaxbench import errors
from jaxbench.data import image_files
from jaxbench.data.annotated import Annotated
from jaxbench.data.classes import named
from jaxbench.data.folder import Folder
from jaxbench.data.label_space import COOP, LabelSpace
from jaxbench.data.labelled import Labelled
from jaxbench.data.zero_shot import spaces


def listed(folder: pathlib.Path, kinds: Mapping[str, str], space: LabelSpace) -> Annotated:
  """The images that a list names, of those in a folder.

  Args:
    folder: of the images.
    kinds: of each image that is meant, by its path in the folder, its class as the list has it.
    space: of the set.

  Raises:
    InputError: an image is not there, or a class is none of the set's.
  """
  files = Folder(folder)
  held = set(files.names)
  if missing := [name for name in kinds if name not in held]:
    raise errors.InputError(
      f"{folder}: {len(missing):,} of the {len(kinds):,} images that its list has are not there, "
      f"{missing[0]} first"
    )
  return _labelled(files, [kinds.get(name) for name in files.names], space)


def dtd(path: pathlib.Path, space: LabelSpace) -> Annotated:
  """DTD's first partition of ten (Cimpoi et al., 2014)."""
  names = _lines(path / "labels/test1.txt")
  return listed(path / "images", {name: name.split("/")[0] for name in names}, space)


def food101(path: pathlib.Path, space: LabelSpace) -> Annotated:
  """Food-101 (Bossard et al., 2014)."""
  names = _lines(path / "meta/test.txt")
  return listed(path / "images", {f"{name}.jpg": name.split("/")[0] for name in names}, space)


def pets(path: pathlib.Path, space: LabelSpace) -> Annotated:
  """The Oxford pets (Parkhi et al., 2012): "Abyssinian_201 1 1 1", the class without its number."""
  names = [line.split()[0] for line in _lines(path / "annotations/test.txt")]
  kinds = {f"{name}.jpg": name.rpartition("_")[0] for name in names}
  return listed(path / "images", kinds, space)


def fgvc_aircraft(path: pathlib.Path, space: LabelSpace) -> Annotated:
  """FGVC Aircraft by its 100 variants (Maji et al., 2013): seven digits, then the variant."""
  rows = [line.split(" ", 1) for line in _lines(path / "images_variant_test.txt")]
  return listed(path / "images", {f"{name}.jpg": kind for name, kind in rows}, space)


def cub(path: pathlib.Path, _: LabelSpace) -> Annotated:
  """The birds of CUB-200-2011's test (Wah et al., 2011): three lists by numbers of images."""
  kinds, images, trained = (
    dict(line.split(maxsplit=1) for line in _lines(path / f"{name}.txt"))
    for name in ("classes", "images", "train_test_split")
  )
  names = [kind.partition(".")[2].replace("_", " ") for kind in kinds.values()]
  tested = [images[number] for number, train in trained.items() if train == "0"]
  space = LabelSpace(tuple(names), written=tuple(kinds.values()))
  return listed(path / "images", {name: name.split("/")[0] for name in tested}, space)


def sun397(path: pathlib.Path, space: LabelSpace) -> Annotated:
  """SUN397's first test partition of ten (Xiao et al., 2010); `path` is the file that lists it."""
  names = _lines(path)
  inside = path.parent / "SUN397"
  images = inside if inside.is_dir() else path.parent
  return listed(images, {name[1:]: name.rpartition("/")[0] for name in names}, space)


def sun397_all(path: pathlib.Path, space: LabelSpace) -> Annotated:
  """The whole of SUN397: a class is all folders from the letter to the file."""
  files = Folder(path)
  kinds = [f"/{name.rpartition('/')[0]}" for name in files.names]
  return _labelled(files, kinds, space)


def gtsrb(path: pathlib.Path, space: LabelSpace) -> Annotated:
  """The German traffic signs (Stallkamp et al., 2012), in files of their own for the test."""
  table = "\n".join(_lines(path / "GT-final_test.csv"))
  rows = csv.DictReader(io.StringIO(table), delimiter=";", skipinitialspace=True)
  kinds = {row["Filename"].strip(): row["ClassId"].strip() for row in rows}
  return listed(path / "GTSRB/Final_Test/Images", kinds, space)


def tiny_imagenet(path: pathlib.Path, space: LabelSpace) -> Annotated:
  """Tiny ImageNet's validation images, as they are distributed or in folders of their wnids."""
  rows = [line.split("\t") for line in _lines(path / "val/val_annotations.txt")]
  images = path / "val/images"
  if images.is_dir():
    return listed(images, {name: wnid for name, wnid, *_ in rows}, space)
  return listed(path / "val", {f"{wnid}/{name}": wnid for name, wnid, *_ in rows}, space)


def clevr_count(path: pathlib.Path, space: LabelSpace) -> Annotated:
  """How many objects, 3 to 10, are in CLEVR's validation images (Johnson et al., 2017)."""
  return _clevr(path, space, lambda scene: len(scene["objects"]) - 3)


def clevr_distance(path: pathlib.Path, space: LabelSpace) -> Annotated:
  """How near the closest object is, in VTAB's six bins of the depth in pixel coordinates."""

  def bin_of(scene: dict[str, Any]) -> int:
    nearest = min(thing["pixel_coords"][2] for thing in scene["objects"])
    return sum(nearest >= edge for edge in (8.0, 8.5, 9.0, 9.5, 10.0))

  return _clevr(path, space, bin_of)


def _clevr(path: pathlib.Path, space: LabelSpace, label_of: Any) -> Annotated:
  scenes = _json(path / "scenes/CLEVR_val_scenes.json")["scenes"]
  kinds = {scene["image_filename"]: str(label_of(scene)) for scene in scenes}
  return listed(path / "images/val", kinds, space)


def coop(path: pathlib.Path, split: str, images: str, templates: str) -> Annotated:
  """The test images of CoOp's split (Zhou et al., 2022), whose file has labels and names too.

  Args:
    path: the folder of the set, where the file lies too.
    split: the file's name.
    images: the folder to which its paths belong, or any folder below `path`.
    templates: the key in the table of templates.
  """
  rows = _json(path / split)["test"]
  names_of: dict[int, set[str]] = collections.defaultdict(set)
  for _, label, name in rows:
    names_of[label].add(name)
  if sorted(names_of) != list(range(len(names_of))) or any(len(n) > 1 for n in names_of.values()):
    raise errors.InputError(f"{path / split}: its labels are not numbers from 0 with a name each")
  names = [names_of[label].pop().replace("_", " ") for label in range(len(names_of))]
  written = tuple(map(str, range(len(names))))
  own = tuple(each for each in spaces.prompts(templates, {COOP: names}) if each.source == COOP)
  space = LabelSpace(tuple(names), written=written, prompts=own)
  return listed(path / images, {name: str(label) for name, label, _ in rows}, space)


def _lines(file: pathlib.Path) -> list[str]:
  return [line.strip() for line in image_files.read_lines(file) if line.strip()]


def _json(file: pathlib.Path) -> Any:
  try:
    return json.loads(file.read_text())
  except (OSError, ValueError) as error:
    raise image_files.unreadable(file, error) from error


def by_folder(path: pathlib.Path, space: LabelSpace, *, without: Iterable[str] = ()) -> Annotated:
  """All images directly in the folders of the classes; `without` are folders that are none."""
  files, others = Folder(path), set(without)
  kinds = [_only_folder(name) for name in files.names]
  return _labelled(files, [None if kind in others else kind for kind in kinds], space)


def _labelled(files: Folder, kinds: Sequence[str | None], space: LabelSpace) -> Annotated:
  """The files with their classes as they are written; those of None are left out."""
  classes = named(files.where, [kind for kind in kinds if kind is not None], space)
  return Annotated(Labelled.of(files, files.names, kinds, classes), space)


def _only_folder(name: str) -> str | None:
  kind, _, file = name.partition("/")
  return kind if file and "/" not in file else None
