"""EVA-CLIP and PE-Core, against open_clip's own models of few and narrow layers."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from references import checkpoints, parity
from references.writers import open_clip, timm

from jaxbench import errors, models
from jaxbench.models.towers import TRUNKS
from jaxbench.models.weights import checkpoint, mapping
from jaxbench.models.weights import open_clip as readers
from jaxbench.models.weights.sidecar import Fields

SIZES = {"embed_dim": 48, "depth": 2, "num_heads": 3}
TEXT = {"context_length": 32, "width": 32, "heads": 4, "layers": 2}
POOLS = {"eva": "token", "vit": "map"}
NAMES = [
  "eva_giant_patch14_224",
  "eva02_base_patch16_clip_224",
  "eva02_enormous_patch14_clip_224",
  "vit_pe_core_base_patch16_224",
  "vit_pe_core_gigantic_patch14_448",
]
PUBLISHED = [name for name in open_clip.list_models() if name.startswith(("EVA", "PE-Core"))]


@pytest.fixture
def write(monkeypatch, tmp_path):
  """Writes the small size of a network as open_clip does; returns it, and its folder."""

  def write(name, **changes):
    row, sized = TRUNKS[name]
    side, tower = 3 * sized.patch_size, sized.config.tower
    mlp_width = int(48 * tower.mlp_width / tower.width)
    small = dataclasses.replace(tower, width=48, layers=2, heads=3, mlp_width=mlp_width)
    config = dataclasses.replace(sized.config, tower=small)
    monkeypatch.setitem(row.timm, name, sized._replace(config=config, size=side))
    sizes = SIZES | {"img_size": side, "mlp_ratio": mlp_width / 48}
    create = timm.create_model
    small = lambda *args, **kwargs: create(*args, **kwargs, **sizes)  # noqa: E731
    monkeypatch.setattr(open_clip.timm_model.timm, "create_model", small)
    vision = {"image_size": side, "timm_model_name": name, "timm_model_pretrained": False}
    vision |= {"timm_pool": POOLS[name[:3]], "timm_proj": None}
    torch.manual_seed(0)
    theirs = parity.randomize(open_clip.CustomTextCLIP(24, vision, TEXT))
    checkpoints.write_safetensors(theirs.state_dict(), tmp_path / "open_clip_model.safetensors")
    sizes = {"vision_cfg": vision | changes, "text_cfg": TEXT}
    config = {"model_cfg": {"embed_dim": 24, "custom_text": True, **sizes}}
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    return theirs, str(tmp_path)

  return write


@pytest.mark.parametrize("name", NAMES)
def test_both_towers(write, name):
  theirs, folder = write(name)
  clip = models.load(folder)
  assert clip.preprocess.size == theirs.visual.image_size[0]
  parity.assert_same(clip.visual, theirs.encode_image, clip.config)
  tokens = clip.tokenize(["a photo of a cat", "two dogs, and a very long sentence " * 5])
  with torch.no_grad():
    expected = theirs.encode_text(torch.tensor(tokens)).numpy()
  np.testing.assert_allclose(clip.encode_text(tokens), expected, atol=1e-5 * np.ptp(expected))


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_sizes_have_the_tensors_of_open_clip(name):
  config = open_clip.get_model_config(name)
  read = readers.configuration(Fields("a", config), Fields("a", {}), None)
  config.pop("custom_text")
  with torch.device("meta"):
    theirs = open_clip.CustomTextCLIP(**config).state_dict()
  _, renamings = checkpoint.family(read).layouts(read)["open_clip"]
  for target, spec in checkpoint.shapes(read).items():
    place = mapping.source(target, renamings)
    size = sum(theirs.pop(name).numel() for name in place.names)
    assert size == spec.size, target
  assert set(theirs) <= {"text.attn_mask"}


@pytest.mark.parametrize("name", ["eva02_base_patch16_clip_224", "vit_pe_core_base_patch16_224"])
def test_images_of_another_size(write, name):
  theirs, folder = write(name)
  clip = models.load(folder, image_size=80)
  theirs.visual.trunk.set_input_size((80, 80))
  parity.assert_same(clip.visual, theirs.encode_image, clip.config, gradient=False)


@pytest.mark.parametrize(
  ("name", "change", "message"),
  [
    (NAMES[0], {"timm_pool": "avg"}, "timm_pool 'avg' is not built for eva_giant_patch14_224"),
    (NAMES[0], {"timm_proj": "linear"}, "timm_proj 'linear' is not built"),
    (NAMES[-1], {"timm_pool": "token"}, "timm_pool 'token' is not built for vit_pe_core_gig"),
    (NAMES[0], {"image_size": 336}, "image_size 336 contradicts timm_model_name"),
  ],
)
def test_what_is_not_built_is_refused(write, name, change, message):
  _, folder = write(name, **change)
  with pytest.raises(errors.InputError, match=message):
    models.load(folder)
