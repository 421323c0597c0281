"""Published data sets by name: where people keep them, how they are read, how large they are."""

import functools
import pathlib
from collections.abc import Callable

from jaxbench.data import corrupted_sets, imagenet_sets, label_spaces, shapes, small_images, videos
from jaxbench.data.annotated import Annotated
from jaxbench.data.captioned import read as read_retrieval
from jaxbench.data.label_space import LabelSpace
from jaxbench.data.published import Published
from jaxbench.data.source import Source
from jaxbench.data.texts import ag_news
from jaxbench.data.tfds import tfds
from jaxbench.data.typographic import SCAM_TYPES, rta_100, scam
from jaxbench.data.webdataset import webdataset
from jaxbench.data.zero_shot import hub, spaces, table

_HUB = "https://huggingface.co/datasets/"
_VIDEOS = "https://github.com/modestyachts/imagenet-testbed (imagenet_vid_ytbb_robust.tar.gz)"
_VALIDATION = "https://image-net.org (ILSVRC2012_img_val.tar), or " + _HUB + "ILSVRC/imagenet-1k"


def _forms(*names: str) -> tuple[str, ...]:
  """A folder or what it may be packed to."""
  return tuple(name + suffix for name in names for suffix in ("", ".tar", ".parquet"))


def _imagenet(space: Callable[[], LabelSpace]) -> Callable[[pathlib.Path], Source]:
  return lambda path: imagenet_sets.by_class(path, space())


def _small(name: str, path: pathlib.Path) -> Source:
  """CIFAR or STL-10, from TFDS, the hub or in their own files."""
  if (path / "dataset_info.json").is_file():
    source: Source = tfds(path, split="test", file_name="id")
  elif any(path.glob("*.tar")):
    source = webdataset(path)
  else:
    source = small_images.stl10(path) if path.name == "stl10_binary" else small_images.cifar(path)
  space = spaces.as_stored(name, source.class_names)
  return Annotated(hub.checked(path, source, space), space)


def _v2(variant: str, folder: str, stored: str) -> Published:
  name = f"imagenetv2-{folder}"
  places = (
    *_forms(f"{name}-format-val", f"imagenetv2-{variant}"),
    f"imagenet_v2/{stored}/*.*.*",
    *hub.places(name, *(["imagenetv2"] if variant == "matched-frequency" else [])),
  )
  return Published(
    places, _imagenet(label_spaces.imagenet_1k), 10_000, _HUB + "vaishaal/ImageNetV2"
  )


def _with_spaces(
  name: str,
  places: tuple[str, ...],
  read: Callable[[pathlib.Path, LabelSpace], Source],
  space: Callable[..., LabelSpace],
  examples: int,
  origin: str,
) -> dict[str, Published]:
  """A set of coarser classes: by the pooled names of ImageNet, and by its own names."""

  def reader(own_names: bool) -> Callable[[pathlib.Path], Source]:
    return lambda path: read(path, space(own_names=own_names))

  return {
    name: Published(places, reader(False), examples, origin),
    f"{name}-own-names": Published(places, reader(True), examples, origin),
  }


_IMAGENET = (
  *("imagenet/val", "imagenet/validation", "ILSVRC2012_img_val.tar"),
  *("imagenet/ILSVRC2012_img_val.tar", "ILSVRC2012_img_val", "imagenet2012/*.*.*"),
  *("imagenet-1k/data", "ILSVRC/Data/CLS-LOC/val", "imagenet/ILSVRC/Data/CLS-LOC/val"),
  *hub.places("imagenet1k"),
)


def _validation_on(name: str, examples: int) -> Published:
  """What accuracy under a shift is compared with: the validation images of the same classes."""
  read = functools.partial(_read_validation_on, name)
  return Published(_IMAGENET, read, examples, _VALIDATION)


def _read_validation_on(name: str, path: pathlib.Path) -> Source:
  return imagenet_sets.validation_on(path, label_spaces.get(name))


def _captioned(name: str, examples: int, fold: int = 0) -> Published:
  """A retrieval set of the hub: the test images of Karpathy & Fei-Fei (2015, arXiv:1412.2306)."""
  place, read = f"wds_{name}", functools.partial(read_retrieval, fold=fold)
  return Published((place,), read, examples, hub.origin(name), whole=True)


CATALOG: dict[str, Published] = {
  "imagenet": Published(_IMAGENET, imagenet_sets.validation, 50_000, _VALIDATION),
  "imagenet-on-imagenet-a": _validation_on("imagenet-a", 10_000),
  "imagenet-on-imagenet-o": _validation_on("imagenet-o", 10_000),
  "imagenet-on-imagenet-r": _validation_on("imagenet-r", 10_000),
  "imagenet-on-objectnet": _validation_on("objectnet", 6_250),
  "imagenet-on-imagenet-vid-robust": _validation_on("imagenet-vid-robust", 14_400),
  "imagenet-on-ytbb-robust": _validation_on("ytbb-robust", 11_550),
  "imagenetv2-matched-frequency": _v2(
    "matched-frequency", "matched-frequency", "matched-frequency"
  ),
  "imagenetv2-threshold-0.7": _v2("threshold-0.7", "threshold0.7", "threshold-0.7"),
  "imagenetv2-top-images": _v2("top-images", "top-images", "topimages"),
  "imagenet-a": Published(
    (*_forms("imagenet-a"), "imagenet_a/*.*.*", *hub.places("imagenet-a")),
    _imagenet(label_spaces.imagenet_a),
    7_500,
    "https://people.eecs.berkeley.edu/~hendrycks/imagenet-a.tar",
  ),
  "imagenet-hard": Published(
    ("imagenet-hard/data", *_forms("imagenet-hard")),
    imagenet_sets.hard,
    10_980,
    _HUB + "taesiri/imagenet-hard",
  ),
  "imagenet-o": Published(
    (*_forms("imagenet-o"), *hub.places("imagenet-o")),
    _imagenet(label_spaces.imagenet_o),
    2_000,
    "https://people.eecs.berkeley.edu/~hendrycks/imagenet-o.tar",
  ),
  "imagenet-r": Published(
    (*_forms("imagenet-r"), "imagenet_r/*.*.*", *hub.places("imagenet-r")),
    _imagenet(label_spaces.imagenet_r),
    30_000,
    "https://people.eecs.berkeley.edu/~hendrycks/imagenet-r.tar",
  ),
  "imagenet-sketch": Published(
    (
      *_forms("imagenet-sketch", "sketch", "ImageNet-Sketch/sketch"),
      *("imagenet_sketch/*.*.*", "imagenet_sketch", *hub.places("imagenet_sketch")),
    ),
    _imagenet(label_spaces.imagenet_1k),
    50_889,
    _HUB + "songweig/imagenet_sketch",
  ),
  **_with_spaces(
    "objectnet",
    ("objectnet-1.0/images", "objectnet/images", *_forms("objectnet"), *hub.places("objectnet")),
    imagenet_sets.objectnet,
    label_spaces.objectnet,
    18_574,
    "https://objectnet.dev (objectnet-1.0.zip, unpacked)",
  ),
  **_with_spaces(
    "imagenet-vid-robust",
    ("imagenet_vid_ytbb_robust/imagenet-vid-robust", "imagenet-vid-robust"),
    videos.vid_robust,
    label_spaces.vid_robust,
    22_179,
    _VIDEOS,
  ),
  **_with_spaces(
    "ytbb-robust",
    ("imagenet_vid_ytbb_robust/ytbb-robust", "ytbb-robust"),
    videos.ytbb_robust,
    label_spaces.ytbb_robust,
    2_169,
    _VIDEOS,
  ),
  "stylized-imagenet": Published(
    _forms("stylized-imagenet/val", "stylized_imagenet/val", "stylized-imagenet"),
    _imagenet(label_spaces.imagenet_1k),
    50_000,
    "https://github.com/rgeirhos/Stylized-ImageNet, which makes it",
  ),
  "cue-conflict": Published(
    _forms("cue-conflict"),
    lambda path: shapes.cue_conflict(path, label_spaces.cue_conflict()),
    1_280,
    "https://github.com/bethgelab/model-vs-human/releases/tag/v0.1 (cue-conflict.tar.gz, unpacked)",
  ),
  "cifar10": Published(
    ("cifar10/*.*.*", "cifar-10-batches-bin", *hub.places("vtab-cifar10", "cifar10")),
    functools.partial(_small, "cifar10"),
    10_000,
    "https://www.cs.toronto.edu/~kriz/cifar.html (cifar-10-binary.tar.gz, unpacked)",
    unread=("cifar-10-batches-py", "cifar-10-python.tar.gz"),  # Pickled.
  ),
  "cifar100": Published(
    ("cifar100/*.*.*", "cifar-100-binary", *hub.places("vtab-cifar100", "cifar100")),
    functools.partial(_small, "cifar100"),
    10_000,
    "https://www.cs.toronto.edu/~kriz/cifar.html (cifar-100-binary.tar.gz, unpacked)",
    unread=("cifar-100-python", "cifar-100-python.tar.gz"),
  ),
  "stl10": Published(
    ("stl10/*.*.*", "stl10_binary", *hub.places("stl10")),
    functools.partial(_small, "stl10"),
    8_000,
    "https://cs.stanford.edu/~acoates/stl10 (stl10_binary.tar.gz, unpacked)",
  ),
  "mscoco_captions": _captioned("mscoco_captions", 5_000),
  # COCO-1k: recall is the mean over the five.
  **{
    f"mscoco_captions-1k/{fold}": _captioned("mscoco_captions", 1_000, fold) for fold in range(1, 6)
  },
  "flickr30k": _captioned("flickr30k", 1_000),
  "flickr8k": _captioned("flickr8k", 1_000),
  "ag_news": Published(("ag_news",), ag_news, 7_600, _HUB + "fancyzhx/ag_news"),
  "rta-100": Published(("rta-100", "RTA-100"), rta_100, 1_000, "https://arxiv.org/abs/2304.04512"),
  **{
    kind.lower(): Published(
      ("scam/images/train", "SCAM/images/train"),
      functools.partial(scam, kind=kind),
      1_162,
      _HUB + "BLISS-e-V/SCAM (images.zip, unpacked)",
    )
    for kind in SCAM_TYPES
  },
  **table.SETS,
  **corrupted_sets.SETS,
}
