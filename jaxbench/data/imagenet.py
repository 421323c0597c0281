"""ImageNet's 1000 classes; a label is the rank of the class id (wnid) in ascending order."""

import functools
import json

from jaxbench import tables


@functools.cache
def wnids() -> tuple[str, ...]:
  """The 1000 class ids, n01440764 first."""
  return tuple(json.loads(tables.path("imagenet1k_wnids.json").read_text()))


@functools.cache
def class_names() -> tuple[str, ...]:
  """The 1000 names of CLIP's ImageNet evaluation; RoZ uses the same list."""
  return tuple(json.loads(tables.path("imagenet1k_openai_classnames.json").read_text()))


@functools.cache
def synset_names() -> tuple[str, ...]:
  """WordNet's words for each of the 1000 classes, "tench, Tinca tinca"; two are "crane"."""
  return tuple(json.loads(tables.path("imagenet1k_synset_names.json").read_text()))


@functools.cache
def hub_names() -> tuple[str, ...]:
  """The same as the hub's imagenet-1k has them, which tells the crane that is a machine apart."""
  machine = wnids().index("n03126707")
  return tuple("crane2" if k == machine else name for k, name in enumerate(synset_names()))
