"""The test images of CoOp's split files (Zhou et al., 2022), where they are no official test."""

import pathlib

from jaxbench.data.label_space import LabelSpace
from jaxbench.data.source import Source
from jaxbench.data.zero_shot import listed
from jaxbench.data.zero_shot.row import Row

_ORIGIN = "https://github.com/KaiyangZhou/CoOp/blob/main/DATASETS.md"


def _coop(name: str, examples: int, place: str, split: str, images: str, key: str) -> Row:
  """A set by CoOp's split, whose file says the classes."""

  def read(path: pathlib.Path, _: LabelSpace) -> Source:
    return listed.coop(path, f"split_zhou_{split}.json", images, key)

  return Row(name, examples, read, (place,), _ORIGIN, classes=None)


COOP = (
  _coop(
    "caltech101-coop", 2_465, "caltech-101", "Caltech101", "101_ObjectCategories", "caltech101"
  ),
  _coop("dtd-coop", 1_692, "dtd", "DescribableTextures", "images", "dtd"),
  _coop("eurosat-coop", 8_100, "eurosat", "EuroSAT", "2750", "eurosat"),
  _coop("flowers-coop", 2_463, "oxford_flowers", "OxfordFlowers", "jpg", "flowers"),
  _coop("food101-coop", 30_300, "food-101", "Food101", "images", "food101"),
  _coop("ucf101", 3_783, "ucf101", "UCF101", "UCF-101-midframes", "ucf101"),
)
