"""120 common names of timm: each is native and is timm's network, is bridged, or says why not."""

import collections
import dataclasses
import json
import math

import pytest
import torch
from references.command import ROOT
from references.timm_names import COMMON, OTHERS
from references.writers import timm as library

from jaxbench import errors, models
from jaxbench.models.architectures import family
from jaxbench.models.foreign import packages
from jaxbench.models.weights import checkpoint, mapping, origins, timm

NATIVE = [name for name in COMMON if name in timm.NAMES]


def _bridged(name):
  """What the bridge says of images before it fetches weights; whether XLA runs it is not asked."""
  return timm.preprocessing(packages._fields(name, library.get_pretrained_cfg(name).to_dict()))


def _standing(name):
  if name in timm.NAMES:
    return "native"
  assert library.is_model(name)
  try:
    _bridged(name)
  except errors.InputError:
    return "refused"
  return "bridged"


def test_how_many_are_native():
  assert len({*COMMON, *OTHERS}) == 120
  assert len(COMMON) == 98
  standing = {name: _standing(name) for name in (*COMMON, *OTHERS)}
  assert [name for name in COMMON if standing[name] != "native"] == []
  counted = f"All {len(COMMON)} common names of timm are native"
  assert counted in (ROOT / "jaxbench/models/README.md").read_text()
  others = collections.Counter(standing[name] for name in OTHERS)
  assert others == {"bridged": 20, "refused": 2}


@pytest.mark.parametrize(
  ("name", "reason"),
  [
    ("volo_d5_512", "a crop of 1.15 is not between 0 and 1"),
    ("vit_base_patch16_sapiens2", r"input_size \[1024, 768\] is not a square"),
  ],
)
def test_what_is_refused_says_why(name, reason):
  with pytest.raises(errors.InputError, match=reason):
    _bridged(name)


@pytest.mark.parametrize("name", OTHERS[::6])
def test_a_folder_of_what_is_bridged_names_the_bridge(tmp_path, name):
  images = library.get_pretrained_cfg(name).to_dict()
  (tmp_path / "config.json").write_text(
    json.dumps({"architecture": name, "pretrained_cfg": images})
  )
  with pytest.raises(errors.InputError, match="is not built here") as caught:
    models.load(str(tmp_path))
  assert f"models.load('timm:{name}')" in str(caught.value)
  assert "models.from_torch" in str(caught.value)
  assert "\n" not in str(caught.value)


def _fits(ours, theirs):
  """Up to what `mapping.read` does: axes of one, and linear layers that are convolutions."""
  flat = [(shape[:1], math.prod(shape)) for shape in (ours, theirs)]
  return mapping.without_ones(ours) == mapping.without_ones(theirs) or flat[0] == flat[1]


@pytest.mark.usual("resnet50", "vit_base_patch16_224", "convnext_tiny", "swin_tiny*")
@pytest.mark.parametrize("name", NATIVE)
def test_a_native_one_has_the_tensors_of_timm(name):
  shown = _bridged(name)
  shown["num_classes"] = shown["num_classes"] or 1000
  with torch.device("meta"):
    theirs = library.create_model(name, num_classes=shown["num_classes"]).state_dict()
  config = dataclasses.replace(timm.named(name), **shown)
  layouts = family(config).layouts(config)["timm"]
  renamings = mapping.likeliest(theirs, checkpoint.shapes(config), layouts)
  ours = {}
  for target, spec in checkpoint.shapes(config).items():
    place = mapping.source(target, renamings)
    first, *rest = mapping.joined(target, place, spec.shape)
    ours |= dict.fromkeys(place.names, (first // len(place.names), *rest))
  wanted = {key: tuple(x.shape) for key, x in theirs.items() if not mapping._IGNORED.search(key)}
  assert ours.keys() == wanted.keys()
  assert not {key: (ours[key], wanted[key]) for key in ours if not _fits(ours[key], wanted[key])}


@pytest.mark.usual("*_small*", "*_tiny*", "resnet*", "*b0")
@pytest.mark.parametrize(
  "name", [name for name in NATIVE if library.get_pretrained_cfg(name).num_classes]
)
def test_the_images_of_a_native_one_are_those_of_its_default_weights(name):
  said = library.get_pretrained_cfg(name)
  known = library.data.resolve_data_config(pretrained_cfg=said.to_dict(), use_test_size=True)
  size = known["input_size"][-1]
  whole = f"timm/{name}.{said.tag}"
  (origin,) = origins.named(whole)
  listed = models.list_models()[timm.NAMES[name][0]].weights[whole]
  assert (listed.mean, listed.std) == (known["mean"], known["std"])
  assert listed.preprocess == origin.config.preprocess
  assert listed.preprocess == models.Preprocess(
    size,
    math.floor(size / known["crop_pct"]),
    known["interpolation"],
    squash=known["crop_mode"] == "squash",
  )
