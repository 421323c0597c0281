"""Bare tensors that open_clip and timm wrote, under the names that people give them."""

import dataclasses
import json
import pathlib

import jax
import numpy as np
import pytest
import torch
from references import checkpoints, families, parity
from references.writers import open_clip, timm

from jaxbench import errors, models, tables
from jaxbench.models.architectures import libraries
from jaxbench.models.encoders.clip import OPENAI_MEAN, OPENAI_STD
from jaxbench.models.parts.transformer import TowerConfig
from jaxbench.models.weights import checkpoint, files, mapping, origins, state_dict

HALF = (0.5, 0.5, 0.5)
# All published weights of these sizes were trained with quick_gelu, whatever open_clip calls them.
ONLY_QUICK = ("ViT-H-14-378", "ViT-L-14-336", "RN50", "RN101", "RN50x4", "RN50x16", "RN50x64")
# The published weights of these differ in what no tensor tells.
DIFFER = ("ViT-B-32", "ViT-B-16", "ViT-L-14", "ViT-H-14", "ViT-H-14-quickgelu", "ViT-bigG-14")


def same(model, reference, mean, std, size):
  """Whether `model` computes what `reference` does of images so normalised."""
  images = np.random.default_rng(0).random((2, size, size, 3), np.float32)
  pixels = torch.tensor((images - np.float32(mean)) / np.float32(std)).permute(0, 3, 1, 2)
  with torch.no_grad():
    expected = reference(pixels).numpy()
  found = jax.jit(lambda model, x: model(x))(model, images)
  return np.abs(found - expected).max() <= 1e-5 * np.ptp(expected)


@pytest.fixture(scope="module")
def tf_efficientnet(tmp_path_factory):
  """timm's model and its file."""
  torch.manual_seed(0)
  model = parity.randomize(timm.create_model("tf_efficientnet_b0"))
  file = tmp_path_factory.mktemp("timm") / "tf_efficientnet_b0.safetensors"
  return model, checkpoints.write_safetensors(model.state_dict(), file)


@pytest.mark.slow
def test_weights_of_tensorflow_are_named_by_their_source(tf_efficientnet):
  reference, file = tf_efficientnet
  model = models.load(file, architecture="timm/tf_efficientnet_b0.ap_in1k")
  assert model.preprocess == models.Preprocess(224, 256)
  assert same(model, reference, HALF, HALF, 224)


@pytest.mark.parametrize("name", ["efficientnet_b0", "timm/tf_efficientnet_b0"])
def test_weights_of_tensorflow_are_not_taken_for_others(tf_efficientnet, name):
  with pytest.raises(errors.InputError, match=r"which differ in .*name the source") as caught:
    models.load(tf_efficientnet[1], architecture=name)
  assert ("same_padding" in str(caught.value)) == (name == "efficientnet_b0")


def test_mean_and_std_do_not_tell_the_padding(tf_efficientnet):
  images = {"mean": HALF, "std": HALF, "preprocess": models.Preprocess(224)}
  with pytest.raises(errors.InputError, match="differ in epsilon, same_padding"):
    models.load(tf_efficientnet[1], architecture="efficientnet_b0", **images)
  described = models.describe(tf_efficientnet[1], architecture="tf_efficientnet_b0", **images)
  assert described.config.same_padding
  assert (described.config.mean, described.config.preprocess) == (HALF, models.Preprocess(224))


@pytest.fixture
def vit(tmp_path, monkeypatch):
  """A ViT of timm with one layer, its file, and our name for its size."""
  tower = TowerConfig(48, 1, 3, 192, "gelu", 1e-6)
  config = dataclasses.replace(models.ARCHITECTURES["vit_b_16"], tower=tower)
  monkeypatch.setitem(models.ARCHITECTURES, "vit_b_16", config)
  sizes = {"depth": 1, "embed_dim": 48, "num_heads": 3}
  model = parity.randomize(timm.create_model("vit_base_patch16_224", **sizes))
  return model, checkpoints.write_safetensors(model.state_dict(), tmp_path / "vit.safetensors")


def test_a_vit_of_timm_is_not_torchvisions(vit):
  reference, file = vit
  with pytest.raises(errors.InputError, match="differ in mean, std"):
    models.load(file, architecture="vit_b_16")
  name = "timm/vit_base_patch16_224.augreg_in21k_ft_in1k"
  model = models.load(file, architecture=name)
  assert model.preprocess == models.Preprocess(224, 248)
  assert same(model, reference, HALF, HALF, 224)
  told = {"mean": OPENAI_MEAN, "std": OPENAI_STD, "preprocess": models.Preprocess(224)}
  assert same(models.load(file, architecture="vit_b_16", **told), reference, OPENAI_MEAN,
              OPENAI_STD, 224)  # fmt: skip


def clip(quick_gelu):
  """open_clip's own class, smaller than any name has it."""
  torch.manual_seed(0)
  vision = {"image_size": 224, "layers": 1, "width": 64, "patch_size": 14, "head_width": 16}
  text = {"width": 32, "heads": 4, "layers": 1}
  return parity.randomize(open_clip.CLIP(24, vision, text, quick_gelu=quick_gelu))


def smaller(monkeypatch, *names):
  """Gives these names to the size of `clip`."""
  for name in names:
    config, activation = models.ARCHITECTURES[name], models.ARCHITECTURES[name].text.activation
    config = dataclasses.replace(
      config,
      embed_dim=24,
      vision=TowerConfig(64, 1, 4, 256, activation),
      text=TowerConfig(32, 1, 4, 128, activation),
      patch_size=14,
    )
    monkeypatch.setitem(models.ARCHITECTURES, name, config)


def test_a_clip_is_named_by_its_source(tmp_path, monkeypatch):
  smaller(monkeypatch, "ViT-L-14")
  reference = clip(quick_gelu=False)
  file = checkpoints.write_safetensors(reference.state_dict(), tmp_path / "clip.safetensors")
  with pytest.raises(errors.InputError, match="differ in activation, mean, std"):
    models.load(file, architecture="ViT-L-14")
  names = ("laion/CLIP-ViT-L-14-laion2B-s32B-b82K", "open_clip/ViT-L-14.laion2b_s32b_b82k")
  for name in names:
    model = models.load(file, architecture=name)
    assert same(model.visual, reference.encode_image, HALF, HALF, 224)
  told = {"mean": HALF, "std": HALF}
  model = models.load(file, architecture="ViT-L-14", **told)
  assert same(model.visual, reference.encode_image, HALF, HALF, 224)


def test_tensors_of_openai_are_known_by_what_only_they_hold(tmp_path, monkeypatch):
  smaller(monkeypatch, "ViT-B-32", "ViT-B-32-quickgelu", "ViT-g-14")
  reference = clip(quick_gelu=True)
  own = {"input_resolution": 224, "context_length": 77, "vocab_size": 49408}
  state = reference.state_dict() | {name: torch.tensor(value) for name, value in own.items()}
  file = checkpoints.write_safetensors(state, tmp_path / "openai.safetensors")
  images = {"mean": OPENAI_MEAN, "std": OPENAI_STD}
  for name in ("ViT-B-32", "ViT-B-32-quickgelu", "openai/clip-vit-base-patch32"):
    for told in ({}, images):
      model = models.load(file, architecture=name, **told)
      assert same(model.visual, reference.encode_image, *images.values(), 224)
  for name in ("ViT-g-14", "open_clip/ViT-B-32.laion2b_s34b_b79k", "resnet50"):
    with pytest.raises(errors.InputError, match="as OpenAI's weights do, and"):
      models.load(file, architecture=name)
  told = {"mean": HALF, "std": HALF}
  for name in ("open_clip/ViT-B-32.openai", "timm/vit_base_patch32_clip_224.openai"):
    model = models.load(file, architecture=name, **told)  # Fine-tuned: the network is the source's.
    assert same(model.visual, reference.encode_image, *told.values(), 224)
  bare = checkpoints.write_safetensors(reference.state_dict(), tmp_path / "bare.safetensors")
  with pytest.raises(errors.InputError, match="differ in activation; name the source"):
    models.load(bare, architecture="ViT-B-32")


def test_tensors_of_transformers_need_to_be_told_how_images_come(tmp_path, monkeypatch):
  reference = families.vit()
  tower = TowerConfig(48, 2, 3, 160, "gelu", 1e-6)
  config = dataclasses.replace(
    models.ARCHITECTURES["vit_b_16"], tower=tower, patch_size=8, num_classes=5
  )
  monkeypatch.setitem(models.ARCHITECTURES, "vit_b_16", config)
  reference.save_pretrained(tmp_path)
  file = str(tmp_path / "model.safetensors")
  for name in ("vit_b_16", "google/vit-base-patch16-224"):
    with pytest.raises(errors.InputError, match="do not tell how images come"):
      models.load(file, architecture=name, mean=HALF, std=HALF)
  images = {"mean": HALF, "std": HALF, "preprocess": models.Preprocess(32, squash=True)}
  model = models.load(file, architecture="vit_b_16", **images)
  assert same(model, lambda pixels: reference(pixels).logits, HALF, HALF, 32)


def test_what_is_told_must_make_sense(tf_efficientnet):
  name, file = "timm/tf_efficientnet_b0.in1k", tf_efficientnet[1]
  with pytest.raises(errors.InputError, match=r"mean is \[0.5\], not three numbers"):
    models.load(file, architecture=name, mean=[0.5])
  with pytest.raises(errors.InputError, match=r"std is .*cannot be divided"):
    models.load(file, architecture=name, std=[0.5, 0, 0.5])
  with pytest.raises(errors.InputError, match="unknown interpolation 'cubic'"):
    models.Preprocess(224, interpolation="cubic")
  with pytest.raises(errors.InputError, match="whole numbers of pixels"):
    models.Preprocess(0)
  with pytest.raises(errors.InputError, match=r"std=.* is for bare tensors only"):
    models.load(str(tables.path(".")), std=HALF)
  with pytest.raises(errors.InputError, match="std is fixed in this checkpoint"):
    models.load("digits-resnet", std=HALF)


def test_a_name_that_is_not_known_has_neighbours_and_another_way_in():
  with pytest.raises(
    errors.InputError, match=r"near it are resnet50.*load\('timm:resnet51'\)"
  ) as e:
    origins.named("timm/resnet51")
  assert len(str(e.value)) < 300


def test_weights_that_nobody_has_published_need_to_be_told_how_images_come(tmp_path, monkeypatch):
  sizes = {"depths": (1, 1, 1, 1), "widths": (8, 8, 8, 8)}
  config = dataclasses.replace(models.ARCHITECTURES["convnextv2_small"], **sizes)
  monkeypatch.setitem(models.ARCHITECTURES, "convnextv2_small", config)
  module = timm.create_model("convnextv2_small", depths=sizes["depths"], dims=sizes["widths"])
  file = checkpoints.write_safetensors(module.state_dict(), tmp_path / "a.safetensors")
  with pytest.raises(errors.InputError, match="timm does not tell how images come"):
    models.load(file, architecture="convnextv2_small")
  images = {"mean": HALF, "std": HALF, "preprocess": models.Preprocess(32)}
  model = models.load(file, architecture="convnextv2_small", **images)
  assert (model.config.std, model.config.depths) == (HALF, sizes["depths"])


def test_the_rows_are_those_of_the_libraries():
  timms = json.loads(tables.path("timm_pretrained.json").read_text())
  for name, row in timms.items():
    theirs = timm.get_pretrained_cfg(name).to_dict()
    assert {key: theirs[key] for key in row} == {
      key: tuple(value) if isinstance(value, list) else value for key, value in row.items()
    }
  clips = json.loads(tables.path("open_clip_pretrained.json").read_text())
  for name, row in clips.items():
    theirs = open_clip.get_pretrained_cfg(*name.split("."))
    theirs = json.loads(json.dumps(theirs)) | {"hf_hub": theirs["hf_hub"].rstrip("/")}
    assert theirs == {**row, "url": theirs["url"]}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ViT-B-32", "RN50", "resnet50", "vit_b_16"])
def test_every_source_is_found_under_its_own_name(name):
  for origin in origins.named(name):
    if origin.complete:
      assert origins.named(origin.name)[0].config == origin.config


@pytest.mark.usual("ViT-B-32*", "RN50*", "resnet50*")
@pytest.mark.parametrize(
  "name",
  [  # What needs its tokenizer comes in folders; timm's tags are for many weights each;
    # transformers' tensors do not tell how images come.
    name
    for name, config in models.ARCHITECTURES.items()
    if getattr(config, "tokenizer", None) is None
    and libraries(name)[0] not in ("timm", "huggingface")
  ],
)
def test_a_plain_name_stands_for_the_tensors_of_its_library(monkeypatch, name):
  """Of a CLIP, those of a name whose sources agree; of others, the best known library's."""
  config = models.ARCHITECTURES[name]
  library = libraries(name)[0]
  (renamings, *_) = state_dict._layouts(library, config)
  arrays = {}
  for ours, spec in checkpoint.tensors(checkpoint.abstract(config)).items():
    place = mapping.source(ours, renamings)
    rows, *rest = mapping.joined(ours, place, spec.shape) or (1,)
    shape = (rows // len(place.names), *rest) if spec.shape else ()
    zeros = np.broadcast_to(np.float32(0), shape)
    arrays |= dict.fromkeys(place.names, zeros)
  opened = files.Tensors(pathlib.Path(name), (), arrays)
  monkeypatch.setattr(files, "open_tensors", lambda path, key: opened)
  if name in DIFFER:
    with pytest.raises(errors.InputError, match=r"differ in (activation|preprocess)"):
      state_dict.read(opened.path, name, name)
  else:
    found = state_dict.read(opened.path, name, name).config
    assert found == models.ARCHITECTURES[f"{name}-quickgelu" if name in ONLY_QUICK else name]
