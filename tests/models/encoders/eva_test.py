"""EVA-CLIP and PE-Core, against open_clip's own models of few and narrow layers."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from references import checkpoints, open_clips, parity
from references.writers import open_clip, timm

from jaxbench import errors, models
from jaxbench.models.encoders import eva
from jaxbench.models.weights import checkpoint, mapping
from jaxbench.models.weights import open_clip as readers
from jaxbench.models.weights.sidecar import Fields

TEXT = open_clips.TEXT | {"context_length": 32}
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
    sized = eva.TOWER.timm[name]
    side, tower = 3 * sized.patch_size, sized.config.tower
    sizes = {"width": 48, "layers": 2, "heads": 3, "mlp_width": 48 * tower.mlp_width // tower.width}
    small = dataclasses.replace(sized.config, tower=dataclasses.replace(tower, **sizes))
    monkeypatch.setitem(eva.TOWER.timm, name, sized._replace(config=small, size=side))
    vision = {"image_size": side, "timm_model_name": name, "timm_pool": POOLS[name[:3]]}
    model = {"vision_cfg": vision | {"timm_proj": None}, "text_cfg": TEXT}
    model |= {"embed_dim": 24, "custom_text": True}
    trunk = {"img_size": side, "embed_dim": 48, "depth": 2, "num_heads": 3}
    trunk["mlp_ratio"] = sizes["mlp_width"] / 48
    theirs = open_clips.write(tmp_path, model, monkeypatch, trunk)
    file = tmp_path / "open_clip_config.json"
    written = json.loads(file.read_text())
    written["model_cfg"]["vision_cfg"] |= changes
    file.write_text(json.dumps(written))
    return theirs, str(tmp_path)

  return write


@pytest.mark.usual("eva_giant_*", "eva02_base_*", "vit_pe_core_base_*")
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


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_published_sizes_have_the_tensors_of_open_clip(name):
  config = open_clip.get_model_config(name)
  (tag,) = open_clip.list_pretrained_tags_by_model(name)
  images = open_clip.get_pretrained_cfg(name, tag)
  images = {key: images[key] for key in ("interpolation", "resize_mode")}
  images |= {key: list(open_clip.get_pretrained_cfg(name, tag)[key]) for key in ("mean", "std")}
  read = readers.configuration(Fields("a", config), Fields("a", images), None)
  assert read == models.ARCHITECTURES[name]
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


@pytest.mark.slow
@pytest.mark.parametrize("name", ["eva02_base_patch16_clip_224", "vit_pe_core_base_patch16_224"])
def test_a_tower_alone_on_its_base(write, tmp_path, name):
  theirs, folder = write(name)
  tower = parity.randomize(theirs.visual, seed=1)
  file = checkpoints.write_safetensors(
    tower.state_dict(), tmp_path / "tower" / "robust.safetensors"
  )
  clip = models.load(folder, visual=file)
  parity.assert_same(clip.visual, tower, clip.config, gradient=False)


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


@pytest.mark.slow
@pytest.mark.parametrize(
  ("name", "arguments"),
  [
    ("eva_large_patch14_196", {}),
    ("eva_giant_patch14_224", {}),
    ("eva02_tiny_patch14_224", {}),
    ("eva02_base_patch14_224", {"global_pool": "token"}),
  ],
)
def test_timm_with_a_classifier(write_timm, name, arguments):
  sizes = {"embed_dim": 48, "depth": 2, "num_heads": 3, "num_classes": 5, "img_size": 42}
  theirs, folder = write_timm(name, **sizes, **arguments)
  model = models.load(folder)
  parity.assert_same(model, theirs, model.config, within=1e-5)


@pytest.mark.usual("eva02_ti_14")
@pytest.mark.parametrize("ours", eva.FAMILY.named)
def test_published_sizes_have_the_tensors_of_timm(ours):
  theirs = next(name for name, (of, _) in eva.FAMILY.timm.names.items() if of == ours)
  with torch.device("meta"):
    module = timm.create_model(theirs, img_size=224, num_classes=1000)
  published = sum(spec.size for spec in checkpoint.shapes(models.ARCHITECTURES[ours]).values())
  assert published == sum(p.numel() for p in module.parameters())
