"""Cue-conflict: images with the shape of one class and the texture of another."""

import pathlib
import re

from jaxbench import errors
from jaxbench.data.annotated import Annotated
from jaxbench.data.folder import folder
from jaxbench.data.label_space import LabelSpace

_NAME = re.compile(r"(?P<shape>[a-z]+)\d+-(?P<texture>[a-z]+)\d+\.png")


def cue_conflict(path: pathlib.Path, space: LabelSpace) -> Annotated:
  """1,280 images; the label is the shape, the target the texture (Geirhos et al., 2019).

  In 80 images both are the same. Reference: arXiv:1811.12231.

  Args:
    path: the folder `cue-conflict`, with `<shape>/<shape><n>-<texture><n>.png`.
    space: its 16 classes.

  Raises:
    InputError: there are no such images, or a class is unknown.
  """
  source = folder(path, space.class_names)
  labels = {name: label for label, name in enumerate(space.class_names)}
  targets = []
  for name, label in zip(source.ids, source.labels, strict=True):
    match = _NAME.fullmatch(name.rpartition("/")[2])
    if match is None or labels.get(match["shape"]) != label or match["texture"] not in labels:
      raise errors.InputError(f"{path}: {name} is not named like cat/cat1-dog2.png")
    texture = labels[match["texture"]]
    targets.append(None if texture == label else texture)
  return Annotated(source, space, targets=targets)
