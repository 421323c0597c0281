"""The label spaces of the natural shifts, by published tables (third_party/README.md)."""

import dataclasses
import functools
import json
from collections.abc import Iterable
from typing import Any

from jaxbench import errors, tables
from jaxbench.data import imagenet
from jaxbench.data.label_space import LabelSpace


def imagenet_1k() -> LabelSpace:
  """All 1000 classes."""
  return restricted(range(len(imagenet.wnids())))


def imagenet_a() -> LabelSpace:
  """The 200 classes of ImageNet-A (Hendrycks et al., 2021, arXiv:1907.07174)."""
  return restricted(_read("imagenet_a_r_classes.json")["imagenet_a"])


def imagenet_o() -> LabelSpace:
  """The 200 classes of ImageNet-O, which its images look like and are not (arXiv:1907.07174)."""
  return dataclasses.replace(restricted(_read("imagenet_o_classes.json")), scored=True)


def imagenet_r() -> LabelSpace:
  """The 200 classes of ImageNet-R (Hendrycks et al., 2021, arXiv:2006.16241)."""
  return restricted(_read("imagenet_a_r_classes.json")["imagenet_r"])


def objectnet(*, own_names: bool = False) -> LabelSpace:
  """The 113 of ObjectNet's 313 classes that ImageNet has, as 125 classes (Barbu et al., 2019).

  In the order of ObjectNet's folders, which is not that of its names. With `own_names`, zero-shot
  models are built with them, here and below.
  """
  names = tuple(row["objectnet_label"].lower() for row in _objectnet())
  groups = tuple(tuple(row["imagenet_indices"]) for row in _objectnet())
  return LabelSpace(names, groups, own_names)


def objectnet_folders() -> tuple[str, ...]:
  """The folders of the 113 classes, in label order."""
  return tuple(row["folder"] for row in _objectnet())


def vid_robust(*, own_names: bool = False) -> LabelSpace:
  """The 30 classes of ImageNet-Vid-Robust, 288 in ImageNet (Shankar et al., arXiv:1906.02168)."""
  names, table = "imagenet_vid_robust_30", "vid_robust_superclass_to_imagenet.json"
  return _superclasses(names, table, own_names)


def ytbb_robust(*, own_names: bool = False) -> LabelSpace:
  """The 24 classes of YTBB-Robust, 231 in ImageNet (Shankar et al., 2019, arXiv:1906.02168).

  Cow, giraffe, skateboard, toilet and none are not in ImageNet: a classifier of its classes never
  answers them.
  """
  return _superclasses("ytbb_robust_24", "ytbb_robust_superclass_to_imagenet.json", own_names)


def cue_conflict() -> LabelSpace:
  """16 everyday classes, 207 in ImageNet, by their mean probability (Geirhos et al., 2019).

  Reference: arXiv:1811.12231, as model-vs-human evaluates it, zero-shot models included.
  """
  table = _read("human16_to_imagenet.json")
  return LabelSpace(tuple(table), _groups(table.values()), own_names=False, pool="mean")


LABEL_SPACES = {
  "imagenet": imagenet_1k,
  "imagenet-a": imagenet_a,
  "imagenet-o": imagenet_o,
  "imagenet-r": imagenet_r,
  "objectnet": objectnet,
  "imagenet-vid-robust": vid_robust,
  "ytbb-robust": ytbb_robust,
  "cue-conflict": cue_conflict,
}


def get(name: str) -> LabelSpace:
  """The label space `name`.

  Raises:
    InputError: there is no such label space.
  """
  if name not in LABEL_SPACES:
    raise errors.unknown("label space", name, LABEL_SPACES)
  return LABEL_SPACES[name]()


def restricted(labels: Iterable[int]) -> LabelSpace:
  """Some of ImageNet's classes under their own names, in the order given."""
  kept = tuple(labels)
  names = imagenet.class_names()
  return LabelSpace(tuple(names[label] for label in kept), tuple((label,) for label in kept))


def _superclasses(names: str, table: str, own_names: bool) -> LabelSpace:
  titles = _read("wiseft_dataset_classnames.json")[names]
  groups = _read(table)
  members = _groups(groups.get(str(row), ()) for row in range(len(titles)))
  return LabelSpace(tuple(title.replace("_", " ") for title in titles), members, own_names)


def _groups(lists: Iterable[Iterable[int]]) -> tuple[tuple[int, ...], ...]:
  return tuple(tuple(labels) for labels in lists)


def _objectnet() -> list[dict[str, Any]]:
  return _read("objectnet_113_to_imagenet.json")


@functools.cache
def _read(table: str) -> Any:
  return json.loads(tables.path(table).read_text())
