"""Each configuration that open_clip ships: native, through the bridge, or refused, and why."""

import contextlib
import dataclasses
import json
import re

import pytest
import torch
from references import texts
from references.writers import open_clip

from jaxbench import errors, models, tables
from jaxbench.models.architectures import family
from jaxbench.models.weights import checkpoint, mapping
from jaxbench.models.weights import open_clip as reader
from jaxbench.models.weights.sidecar import Fields

NAMES = open_clip.list_models()
# Not native, by what the reader says of them; torch's bridge takes them all.
BRIDGED = {
  "timm_model_name 'swin_base_patch4_window7_224'": 1,
  "timm_model_name 'vit_medium_patch16_gap_256'": 1,
  "timm_model_name 'vit_relpos_medium_patch16_cls_224'": 1,
  "hf_model_name 'google/mt5": 2,
  "hf_model_name 'facebook/nllb": 4,
}
# On the meta device a module of each kind costs seconds; one of each stands for its sizes.
BUILT = (
  *("RN50", "ViT-B-32", "ViT-M-16-alt", "ViT-L-14-CLIPA", "ViT-L-14-worldwide", "coca_base"),
  *("coca_ViT-B-32", "convnext_base_w", "convnext_large_d", "EVA02-B-16", "EVA01-g-14"),
  *("PE-Core-T-16-384", "PE-Core-bigG-14-448", "ViT-B-16-SigLIP", "ViT-SO400M-16-SigLIP-i18n-256"),
  *("ViT-gopt-16-SigLIP2-256", "MobileCLIP2-L-14", "ViTamin-S", "ViTamin-XL-256"),
  *("MobileCLIP2-S0", "MobileCLIP2-S3"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
  """With a tokenizer of some kind."""
  folder = tmp_path_factory.mktemp("tokenizer")
  texts.write_bert(folder)
  return folder


def read(name, folder):
  """What we read of a configuration."""
  model = json.loads(json.dumps(open_clip.get_model_config(name)))
  place = folder / "open_clip_config.json"
  return reader.configuration(Fields(place, model), Fields(place, {}), folder)


def test_all_that_are_not_native_are_counted(folder):
  reasons = {}
  for name in NAMES:
    try:
      read(name, folder)
    except errors.InputError as error:
      assert "with torch and open_clip, the name open_clip:ARCHITECTURE/TAG" in str(error)
      reasons[name] = re.sub(r".*(?=(timm|hf)_model_name)", "", str(error))
  found = {start: sum(r.startswith(start) for r in reasons.values()) for start in BRIDGED}
  assert found == BRIDGED
  assert len(reasons) == sum(BRIDGED.values())
  native = f"{len(NAMES) - len(reasons)} of its {len(NAMES)} configurations"
  assert native in (tables.path(".").parent / "README.md").read_text()


def native(folder):
  for name in NAMES:
    with contextlib.suppress(errors.InputError):
      yield name, read(name, folder)


def test_a_name_is_the_configuration_that_open_clip_calls_so(folder):
  images = {"preprocess": None, "mean": None, "std": None, "tokenizer": None}
  for name, config in native(folder):
    ours = models.ARCHITECTURES[reader.ours(name)]
    assert ours.preprocess.size == config.preprocess.size
    assert (ours.tokenizer is None) == (config.tokenizer is None)
    assert dataclasses.replace(ours, **images) == dataclasses.replace(config, **images), name


@pytest.mark.usual(
  "RN50",
  "coca_ViT-B-32",
  "convnext_base_w",
  "EVA02-B-16",
  "ViT-B-16-SigLIP",
  "ViTamin-S",
  "MobileCLIP2-S0",
)
@pytest.mark.parametrize("name", BUILT)
def test_tensors_have_the_names_and_shapes_of_open_clips(folder, name):
  config = read(name, folder)
  model = {k: v for k, v in open_clip.get_model_config(name).items() if k != "custom_text"}
  words = {k: v for k, v in model["text_cfg"].items() if "tokenizer" not in k}
  custom = open_clip.get_model_config(name).get("custom_text", False)
  build = open_clip.CustomTextCLIP if custom else open_clip.CLIP
  build = open_clip.CoCa if "multimodal_cfg" in model else build
  with torch.device("meta"):
    module = build(**model | {"text_cfg": words})
  theirs = {key: tuple(x.shape) for key, x in module.state_dict().items()}
  theirs = {key: shape for key, shape in theirs.items() if not key.startswith("text_decoder.")}
  shapes = checkpoint.shapes(config)
  layout = mapping.likeliest(theirs, shapes, family(config).layouts(config)["open_clip"])
  found = {}
  for ours, spec in shapes.items():
    place = mapping.source(ours, layout)
    wanted = mapping.joined(ours, place, spec.shape)
    parts = [theirs[part] for part in place.names]
    rows = sum(part[0] if part else 1 for part in parts)
    whole = (rows, *parts[0][1:]) if parts[0] else ()
    assert mapping.without_ones(whole) == mapping.without_ones(wanted), ours
    found |= dict.fromkeys(place.names)
  assert {key for key in theirs if "num_batches_tracked" not in key} == set(found)
