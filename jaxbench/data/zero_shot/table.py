"""A row for each set of the zero-shot papers: classes, prompts, metric, counts, forms on disk.

Names are CLIP_benchmark's, for its test images. Where others test on other images of the same set,
that is a row of its own: `-all` are all images (TeCoA), `-coop` those of CoOp's split; `sun397` is
the first official partition and `sun397-all` the whole, as CLIP_benchmark has it.
"""

import dataclasses
import functools
import pathlib
from collections.abc import Callable
from typing import NamedTuple

from jaxbench import errors
from jaxbench.data import image_files, imagenet, label_spaces
from jaxbench.data.annotated import Annotated
from jaxbench.data.label_space import MEAN_PER_CLASS, TECOA, TOP_1, LabelSpace
from jaxbench.data.packed import packed
from jaxbench.data.published import Published
from jaxbench.data.source import Source
from jaxbench.data.tfds import tfds
from jaxbench.data.zero_shot import fer, hub, listed, matlab, pixels, spaces, voc, vtab

Reader = Callable[[pathlib.Path, LabelSpace], Source]
_HUB = "https://huggingface.co/datasets/clip-benchmark/wds_"
_COOP = "https://github.com/KaiyangZhou/CoOp/blob/main/DATASETS.md"


class Tfds(NamedTuple):
  """How TFDS has a set."""

  place: str
  split: str = "test"
  id: str = "file_name"
  label: str = "label"


@dataclasses.dataclass(frozen=True)
class Row:
  """One set."""

  name: str
  examples: int
  read: Reader | None = None  # Of its archive, unpacked; None: it is not read in that form.
  places: tuple[str, ...] = ()  # Of that.
  origin: str = ""  # Where to get that; by default the hub's shards.
  wds: str = ""  # Of the hub's shards, the name after "wds_".
  tfds: Tfds | None = None
  # Keys in the tables, by default the name; classes None: its files say what they are.
  classes: str | None = ""
  templates: str = ""
  metric: str = TOP_1
  unread: tuple[str, ...] = ()

  @property
  def space(self) -> LabelSpace:
    """Its classes and prompts; without classes where only its files say them."""
    if self.classes is None:
      return LabelSpace(())
    found = spaces.space(self.classes or self.name, self.templates or self.name)
    return dataclasses.replace(found, metric=self.metric)

  def published(self) -> Published:
    """The row of the catalogue."""
    shards = (f"wds_{self.wds}/test", f"wds_{self.wds.removeprefix('vtab-')}_test/test")
    more = (f"wds_{self.wds}_test/test",)
    places = (
      *((self.tfds.place,) if self.tfds else ()),  # First: it may lie in a folder of that name.
      *self.places,
      *(dict.fromkeys((*shards, *more)) if self.wds else ()),
    )
    origin = self.origin or f"{_HUB}{self.wds}"
    return Published(tuple(places), self._open, self.examples, origin, self.unread)

  def _open(self, path: pathlib.Path) -> Source:
    space = self.space
    if (path / "dataset_info.json").is_file() and self.tfds:
      _, split, name, label = self.tfds
      source = tfds(path, space, split=split, label=label, file_name=name)
      return Annotated(source, space)
    if path.is_dir() and any(path.glob("*.tar")):
      return hub.shards(path, space)
    if self.read is None:
      if (found := packed(path, space)) is None:
        raise errors.InputError(f"{path} holds neither shards nor what TFDS has prepared")
      return Annotated(found, space)
    try:
      return self.read(path, space)
    except errors.InputError:
      raise
    except (LookupError, ValueError, TypeError, AttributeError, OSError) as error:  # Of its lists.
      raise errors.InputError(
        f"{path} is not as {self.name} is published: {errors.reason(error)}"
      ) from error


def _coop(name: str, examples: int, place: str, split: str, images: str, key: str) -> Row:
  """A set by CoOp's split, whose file says the classes."""

  def read(path: pathlib.Path, _: LabelSpace) -> Source:
    return listed.coop(path, f"split_zhou_{split}.json", images, key)

  return Row(name, examples, read, (place,), _COOP, classes=None)


def _caltech_all(path: pathlib.Path, _: LabelSpace) -> Source:
  """As TeCoA names them: both classes of faces are "person"."""
  kinds = [name for name in spaces.folders("caltech101") if name != "background_google"]
  names = tuple("person" if "faces" in name else name.replace("_", " ") for name in kinds)
  own = spaces.prompts("caltech101", {TECOA: names})
  space = LabelSpace(names, written=tuple(kinds), prompts=own)
  return listed.by_folder(path, space, without=["BACKGROUND_Google"])


def _caltech256(path: pathlib.Path, _: LabelSpace) -> Source:
  """Folders as "056.dog" and "145.motorbikes-101", clutter too."""
  kinds = sorted(each.name for each in path.iterdir() if each.is_dir())
  names = [kind.partition(".")[2].removesuffix("-101").replace("-", " ") for kind in kinds]
  own = spaces.prompts("caltech256", {TECOA: names})
  return listed.by_folder(path, LabelSpace(tuple(names), written=tuple(kinds), prompts=own))


def _country211(path: pathlib.Path, space: LabelSpace) -> Source:
  """Folders are codes of countries, in the order of the labels."""
  kinds = sorted(each.name for each in path.iterdir() if each.is_dir())
  if len(kinds) != len(space.class_names):
    raise errors.InputError(f"{path} has {len(kinds)} folders of countries, not 211")
  return listed.by_folder(path, dataclasses.replace(space, written=tuple(kinds)))


def _tiny_imagenet(path: pathlib.Path, _: LabelSpace) -> Source:
  wnids = image_files.read_lines(path / "wnids.txt")
  space = label_spaces.restricted(sorted(imagenet.wnids().index(wnid) for wnid in wnids))
  own = spaces.prompts("tinyimagenet", {TECOA: space.class_names})
  return listed.tiny_imagenet(path, dataclasses.replace(space, prompts=own))


_EUROSAT = ("eurosat/2750", "EuroSAT/2750", "EuroSAT_RGB", "EuroSAT")
_EUROSAT_ORIGIN = "https://zenodo.org/records/7711810 (EuroSAT_RGB.zip, unpacked)"
_SUN = "http://vision.princeton.edu/projects/2010/SUN (SUN397.tar.gz, Partitions.zip, unpacked)"
_CLEVR = "https://cs.stanford.edu/people/jcjohns/clevr (CLEVR_v1.0.zip, unpacked)"
ROWS = (
  Row(
    "caltech101",
    6_085,
    wds="vtab-caltech101",
    tfds=Tfds("caltech101/3.*.*", id=""),
    metric=MEAN_PER_CLASS,
    unread=("101_ObjectCategories", "caltech101/101_ObjectCategories"),
  ),
  Row(
    "caltech101-all",
    8_677,
    _caltech_all,
    ("caltech101/101_ObjectCategories", "caltech-101/101_ObjectCategories", "101_ObjectCategories"),
    "https://data.caltech.edu/records/mzrjq-6wc02 (caltech-101.zip, both archives unpacked)",
    classes=None,
  ),
  _coop(
    "caltech101-coop", 2_465, "caltech-101", "Caltech101", "101_ObjectCategories", "caltech101"
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
    "dtd",
    1_880,
    listed.dtd,
    ("dtd/dtd", "dtd"),
    "https://www.robots.ox.ac.uk/~vgg/data/dtd (dtd-r1.0.1.tar.gz, unpacked)",
    wds="vtab-dtd",
    tfds=Tfds("dtd/3.*.*"),
  ),
  _coop("dtd-coop", 1_692, "dtd", "DescribableTextures", "images", "dtd"),
  Row(
    "eurosat",
    5_400,
    functools.partial(vtab.tested_part, total=27_000),
    _EUROSAT,
    _EUROSAT_ORIGIN,
    wds="vtab-eurosat",
    tfds=Tfds("eurosat/rgb/2.*.*", "train[21600:]", "filename"),
  ),
  Row(
    "eurosat-all",
    27_000,
    listed.by_folder,
    _EUROSAT,
    _EUROSAT_ORIGIN,
    classes="eurosat",
    templates="eurosat",
    tfds=Tfds("eurosat/rgb/2.*.*", "train", "filename"),
  ),
  _coop("eurosat-coop", 8_100, "eurosat", "EuroSAT", "2750", "eurosat"),
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
  _coop("flowers-coop", 2_463, "oxford_flowers", "OxfordFlowers", "jpg", "flowers"),
  Row(
    "food101",
    25_250,
    listed.food101,
    ("food-101", "food101/food-101"),
    "http://data.vision.ee.ethz.ch/cvl/food-101.tar.gz, unpacked",
    wds="food101",
    tfds=Tfds("food101/2.*.*", "validation", "id"),
  ),
  _coop("food101-coop", 30_300, "food-101", "Food101", "images", "food101"),
  Row(
    "pcam",
    32_768,
    pixels.pcam,
    ("pcam",),
    "https://zenodo.org/records/2546921 (..._split_test_x.h5.gz and _y, unpacked)",
    wds="vtab-pcam",
    tfds=Tfds("patch_camelyon/2.*.*", id="id"),
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
    "fer2013",
    7_178,
    fer.fer2013,
    ("fer2013",),
    "https://www.kaggle.com/datasets/msambare/fer2013, unpacked",
    wds="fer2013",
  ),
  Row(
    "gtsrb",
    12_630,
    listed.gtsrb,
    ("gtsrb",),
    "https://benchmark.ini.rub.de (GTSRB_Final_Test_Images.zip, GTSRB_Final_Test_GT.zip, unpacked)",
    wds="gtsrb",
  ),
  Row(
    "mnist",
    10_000,
    pixels.mnist,
    ("MNIST/raw", "mnist"),
    wds="mnist",
    tfds=Tfds("mnist/3.*.*", id=""),
  ),
  Row(
    "renderedsst2",
    1_821,
    listed.by_folder,
    ("rendered-sst2/test",),
    "https://openaipublic.azureedge.net/clip/data/rendered-sst2.tgz, unpacked",
    wds="renderedsst2",
  ),
  Row(
    "resisc45",
    6_300,
    functools.partial(vtab.tested_part, total=31_500),
    ("NWPU-RESISC45", "resisc45/NWPU-RESISC45"),
    wds="vtab-resisc45",
    tfds=Tfds("resisc45/3.*.*", "train[25200:]", "filename"),
  ),
  Row(
    "svhn",
    26_032,
    matlab.svhn,
    ("test_32x32.mat", "svhn"),
    "http://ufldl.stanford.edu/housenumbers/test_32x32.mat",
    wds="vtab-svhn",
    tfds=Tfds("svhn_cropped/3.*.*", id="id"),
  ),
  Row(
    "voc2007",
    14_976,
    voc.voc2007,
    ("VOCdevkit/VOC2007",),
    "http://host.robots.ox.ac.uk/pascal/VOC/voc2007 (VOCtest_06-Nov-2007.tar, unpacked)",
    wds="voc2007",
  ),
  Row(
    "clevr_count_all",
    15_000,
    listed.clevr_count,
    ("CLEVR_v1.0",),
    _CLEVR,
    wds="vtab-clevr_count_all",
  ),
  Row(
    "clevr_closest_object_distance",
    15_000,
    listed.clevr_distance,
    ("CLEVR_v1.0",),
    _CLEVR,
    wds="vtab-clevr_closest_object_distance",
  ),
  Row(
    "diabetic_retinopathy",
    42_670,
    wds="vtab-diabetic_retinopathy",
    tfds=Tfds("diabetic_retinopathy_detection/btgraham-300/3.*.*", id="name"),
  ),
  Row("dmlab", 22_735, wds="vtab-dmlab", tfds=Tfds("dmlab/2.0.1", id="filename")),
  *(
    Row(
      f"dsprites_label_{what}",
      73_728,
      wds=f"vtab-dsprites_label_{what}",
      tfds=Tfds("dsprites/2.*.*", "train[663552:]", "", f"label_{what}"),
    )
    for what in ("orientation", "x_position", "y_position")
  ),
  *(
    Row(
      f"smallnorb_label_{what}",
      12_150,
      wds=f"vtab-smallnorb_label_{what}",
      tfds=Tfds("smallnorb/2.*.*", "test[50%:]", "", f"label_{what}"),
    )
    for what in ("azimuth", "elevation")
  ),
  Row("kitti_closest_vehicle_distance", 711, wds="vtab-kitti_closest_vehicle_distance"),
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
  _coop("ucf101", 3_783, "ucf101", "UCF101", "UCF-101-midframes", "ucf101"),
)
SETS: dict[str, Published] = {row.name: row.published() for row in ROWS}
