"""The sets that TeCoA (Mao et al., 2023) and its followers have of their own."""

import dataclasses
import pathlib

from jaxbench.data import image_files, imagenet, label_spaces
from jaxbench.data.label_space import TECOA as SOURCE
from jaxbench.data.label_space import LabelSpace
from jaxbench.data.source import Source
from jaxbench.data.zero_shot import listed, spaces
from jaxbench.data.zero_shot.row import Row


def _caltech_all(path: pathlib.Path, _: LabelSpace) -> Source:
  """As TeCoA names them: both classes of faces are "person"."""
  kinds = [name for name in spaces.folders("caltech101") if name != "background_google"]
  names = tuple("person" if "faces" in name else name.replace("_", " ") for name in kinds)
  own = spaces.prompts("caltech101", {SOURCE: names})
  space = LabelSpace(names, written=tuple(kinds), prompts=own)
  return listed.by_folder(path, space, without=["BACKGROUND_Google"])


def _caltech256(path: pathlib.Path, _: LabelSpace) -> Source:
  """Folders as "056.dog" and "145.motorbikes-101", clutter too."""
  kinds = sorted(each.name for each in path.iterdir() if each.is_dir())
  names = [kind.partition(".")[2].removesuffix("-101").replace("-", " ") for kind in kinds]
  own = spaces.prompts("caltech256", {SOURCE: names})
  return listed.by_folder(path, LabelSpace(tuple(names), written=tuple(kinds), prompts=own))


def _tiny_imagenet(path: pathlib.Path, _: LabelSpace) -> Source:
  wnids = image_files.read_lines(path / "wnids.txt")
  space = label_spaces.restricted(sorted(imagenet.wnids().index(wnid) for wnid in wnids))
  own = spaces.prompts("tinyimagenet", {SOURCE: space.class_names})
  return listed.tiny_imagenet(path, dataclasses.replace(space, prompts=own))


TECOA = (
  Row(
    "caltech101-all",
    8_677,
    _caltech_all,
    ("caltech101/101_ObjectCategories", "caltech-101/101_ObjectCategories", "101_ObjectCategories"),
    "https://data.caltech.edu/records/mzrjq-6wc02 (caltech-101.zip, both archives unpacked)",
    classes=None,
  ),
  Row(
    "caltech256",
    30_607,
    _caltech256,
    ("caltech256/256_ObjectCategories", "256_ObjectCategories"),
    "https://data.caltech.edu/records/nyy15-4j048, unpacked",
    classes=None,
  ),
  Row(
    "tinyimagenet",
    10_000,
    _tiny_imagenet,
    ("tiny-imagenet-200",),
    "http://cs231n.stanford.edu/tiny-imagenet-200.zip, unpacked",
    classes=None,
  ),
)
