"""Photographs of things, scenes and animals."""

import dataclasses
import pathlib

from jaxbench import errors
from jaxbench.data.label_space import MEAN_AVERAGE_PRECISION, MEAN_PER_CLASS, LabelSpace
from jaxbench.data.source import Source
from jaxbench.data.zero_shot import hub, listed, matlab, voc
from jaxbench.data.zero_shot.row import Row, Tfds


def _country211(path: pathlib.Path, space: LabelSpace) -> Source:
  """Folders are codes of countries, in the order of the labels."""
  kinds = sorted(each.name for each in path.iterdir() if each.is_dir())
  if len(kinds) != len(space.class_names):
    raise errors.InputError(f"{path} has {len(kinds)} folders of countries, not 211")
  return listed.by_folder(path, dataclasses.replace(space, written=tuple(kinds)))


_VOC = "http://host.robots.ox.ac.uk/pascal/VOC/voc2007 (VOCtest_06-Nov-2007.tar, unpacked)"
_SUN = "http://vision.princeton.edu/projects/2010/SUN (SUN397.tar.gz, Partitions.zip, unpacked)"
NATURAL = (
  Row(
    "caltech101",
    6_085,
    wds="vtab-caltech101",
    tfds=Tfds("caltech101/3.*.*", id=""),
    metric=MEAN_PER_CLASS,
    unread=("101_ObjectCategories", "caltech101/101_ObjectCategories"),
  ),
  Row(
    "cars",
    8_041,
    matlab.cars,
    ("stanford_cars", "cars"),
    wds="cars",
    tfds=Tfds("cars196/2.*.*", id="id"),
  ),
  Row(
    "cub",
    5_794,
    listed.cub,
    ("CUB_200_2011", "cub/CUB_200_2011"),
    "https://data.caltech.edu/records/65de6-vp158 (CUB_200_2011.tgz, unpacked)",
    classes=None,
  ),
  Row(
    "dtd",
    1_880,
    listed.dtd,
    ("dtd/dtd", "dtd"),
    "https://www.robots.ox.ac.uk/~vgg/data/dtd (dtd-r1.0.1.tar.gz, unpacked)",
    wds="vtab-dtd",
    tfds=Tfds("dtd/3.*.*"),
  ),
  Row(
    "fgvc_aircraft",
    3_333,
    listed.fgvc_aircraft,
    ("fgvc-aircraft-2013b/data", "fgvc_aircraft/data", "fgvc_aircraft"),
    "https://www.robots.ox.ac.uk/~vgg/data/fgvc-aircraft (fgvc-aircraft-2013b.tar.gz, unpacked)",
    wds="fgvc_aircraft",
    metric=MEAN_PER_CLASS,
  ),
  Row(
    "flowers",
    6_149,
    matlab.flowers,
    ("flowers-102", "oxford_flowers"),
    "https://www.robots.ox.ac.uk/~vgg/data/flowers/102 (three files, unpacked)",
    wds="vtab-flowers",
    tfds=Tfds("oxford_flowers102/2.*.*"),
    metric=MEAN_PER_CLASS,
  ),
  Row(
    "food101",
    25_250,
    listed.food101,
    ("food-101", "food101/food-101"),
    "http://data.vision.ee.ethz.ch/cvl/food-101.tar.gz, unpacked",
    wds="food101",
    tfds=Tfds("food101/2.*.*", "validation", "id"),
  ),
  Row(
    "pets",
    3_669,
    listed.pets,
    ("oxford-iiit-pet", "oxford_pets"),
    "https://www.robots.ox.ac.uk/~vgg/data/pets (images.tar.gz, annotations.tar.gz, unpacked)",
    wds="vtab-pets",
    tfds=Tfds("oxford_iiit_pet/[34].*.*"),
    metric=MEAN_PER_CLASS,
  ),
  Row("sun397", 19_850, listed.sun397, ("SUN397/Testing_01.txt", "sun397/Testing_01.txt"), _SUN),
  Row(
    "sun397-all",
    108_754,
    listed.sun397_all,
    ("SUN397", "sun397/SUN397"),
    _SUN,
    wds="sun397",
    classes="sun397",
    templates="sun397",
  ),
  Row(
    "country211",
    21_100,
    _country211,
    ("country211/test",),
    "https://openaipublic.azureedge.net/clip/data/country211.tgz, unpacked",
    wds="country211",
  ),
  Row(
    "voc2007",
    14_976,
    voc.voc2007,
    ("VOCdevkit/VOC2007",),
    _VOC,
    wds="voc2007",
  ),
  Row(
    "voc2007_multilabel",
    4_952,
    voc.multilabel,
    ("VOCdevkit/VOC2007",),
    _VOC,
    wds="voc2007_multilabel",
    shards=hub.multilabel,
    classes="voc2007",
    templates="voc2007_multilabel",
    metric=MEAN_AVERAGE_PRECISION,
  ),
)
