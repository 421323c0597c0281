"""Published sets of corrupted images: ImageNet-C and -P, and their smaller kin."""

import functools
import itertools
import pathlib

from jaxbench.data import imagenet_sets, label_spaces, sequences, small_images
from jaxbench.data.published import Published
from jaxbench.data.source import Source

# The folders of ImageNet-C's archives. The fifth holds corruptions that mCE does not count.
_CORRUPTIONS = {
  "noise": ("gaussian_noise", "shot_noise", "impulse_noise"),
  "blur": ("defocus_blur", "glass_blur", "motion_blur", "zoom_blur"),
  "weather": ("snow", "frost", "fog", "brightness"),
  "digital": ("contrast", "elastic_transform", "pixelate", "jpeg_compression"),
  "extra": ("speckle_noise", "gaussian_blur", "spatter", "saturate"),
}
_COUNTED = [
  name for group in ("noise", "blur", "weather", "digital") for name in _CORRUPTIONS[group]
]
_ALL = [*_COUNTED, *_CORRUPTIONS["extra"]]
_ZENODO = "https://zenodo.org/records/"


def _imagenet_c(group: str, name: str, severity: int) -> Published:
  inside = f"{name}/{severity}"
  roots = ("imagenet-c", "ImageNet-C")
  places = [f"{root}/{middle}{inside}" for root in roots for middle in ("", f"{group}/")]
  places += [f"{root}/{group}.tar" for root in roots]
  read = functools.partial(_read_imagenet_c, inside=inside)
  return Published(tuple(places), read, 50_000, f"{_ZENODO}2235448 ({group}.tar)")


def _read_imagenet_c(path: pathlib.Path, inside: str) -> Source:
  """A folder of one severity, or an archive of several corruptions."""
  return imagenet_sets.validation(path, under=inside if path.is_file() else "")


def _of_tfds(name: str, severity: int) -> Published:
  """TFDS's own corruptions, whose images are others than ImageNet-C's."""
  stored = f"imagenet2012_corrupted/{name}_{severity}"
  origin = f"TFDS, which makes it: {stored}"
  return Published((f"{stored}/*.*.*",), imagenet_sets.validation, 50_000, origin)


def _imagenet_p(name: str) -> Published:
  places = tuple(f"{root}/{name}" for root in ("imagenet-p", "ImageNet-P"))
  frames = 41 if name == "translate" else 31
  origin = f"{_ZENODO}3565846 ({name}.tar, unpacked)"
  return Published(places, _read_sequences, 50_000 * frames, origin)


def _read_sequences(path: pathlib.Path) -> Source:
  return sequences.Sequences(path, label_spaces.imagenet_1k())


def _cifar_c(classes: int, name: str, severity: int) -> Published:
  folders = (f"CIFAR-{classes}-C", f"cifar{classes}-c", f"cifar-{classes}-c")
  record = {10: 2535967, 100: 3555552}[classes]
  read = functools.partial(small_images.cifar_c, f"cifar{classes}", severity)
  origin = f"{_ZENODO}{record} (CIFAR-{classes}-C.tar, unpacked)"
  return Published(tuple(f"{folder}/{name}.npy" for folder in folders), read, 10_000, origin)


def _tiny_imagenet_c(name: str, severity: int) -> Published:
  roots = ("Tiny-ImageNet-C", "tiny-imagenet-c")
  places = tuple(f"{root}/{name}/{severity}" for root in roots)
  origin = f"{_ZENODO}2536630 (Tiny-ImageNet-C.tar, unpacked)"
  return Published(places, imagenet_sets.some_classes, 10_000, origin)


_SEVERITIES = range(1, 6)
SETS: dict[str, Published] = {
  **{
    f"imagenet-c/{name}/{severity}": _imagenet_c(group, name, severity)
    for group, names in _CORRUPTIONS.items()
    for name, severity in itertools.product(names, _SEVERITIES)
  },
  **{f"imagenet-p/{name}": _imagenet_p(name) for name in sequences.PERTURBATIONS},
  **{
    f"tfds-imagenet-c/{name}/{severity}": _of_tfds(name, severity)
    for name, severity in itertools.product(_ALL, _SEVERITIES)
  },
  **{
    f"cifar{classes}-c/{name}/{severity}": _cifar_c(classes, name, severity)
    for classes, name, severity in itertools.product((10, 100), _ALL, _SEVERITIES)
  },
  **{
    f"tiny-imagenet-c/{name}/{severity}": _tiny_imagenet_c(name, severity)
    for name, severity in itertools.product(_COUNTED, _SEVERITIES)
  },
}
