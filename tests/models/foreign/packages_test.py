"""Models that timm, open_clip and RobustBench build: with their weights, pixels and names."""

import enum
import sys
import types

import numpy as np
import pytest
import safetensors.torch
import torch
from huggingface_hub import constants
from torch import nn

from jaxbench import errors, models
from jaxbench.models.foreign import made
from tests.references.writers import open_clip, timm

TIMM = "timm:test_efficientnet.r160_in1k"


@pytest.fixture
def cached(tmp_path, monkeypatch):
  """An empty cache of the hub, to which a function adds a file of weights."""
  monkeypatch.setattr(made, "_made", {})
  monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
  monkeypatch.setitem(sys.modules, "timm", timm)
  monkeypatch.setitem(sys.modules, "open_clip", open_clip)

  def add(repository, name, state):
    folder = tmp_path / f"models--{repository.replace('/', '--')}"
    (folder / "snapshots/abc").mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs/main").write_text("abc")
    safetensors.torch.save_file(state, folder / "snapshots/abc" / name)

  return add


def _contiguous(module):
  return {name: array.contiguous() for name, array in module.state_dict().items()}


@pytest.mark.slow
def test_timm_builds_a_classifier_with_its_own_preprocessing(cached):
  torch.manual_seed(0)
  module = timm.create_model("test_efficientnet").eval()
  cached("timm/test_efficientnet.r160_in1k", "model.safetensors", _contiguous(module))
  model = models.load(TIMM)
  described = models.describe(TIMM)
  assert described.architecture == "custom"
  assert described.source.startswith(f"{TIMM} (timm ")
  cfg = timm.get_pretrained_cfg("test_efficientnet.r160_in1k")
  size = cfg.input_size[-1]
  resize = int(size / cfg.crop_pct)
  assert described.config.preprocess == models.Preprocess(size, resize, cfg.interpolation)
  image = np.random.default_rng(0).integers(0, 256, (size + 30, size + 9, 3), np.uint8)
  pixels = model.preprocess(image)[None].astype(np.float32) / 255
  standard = (pixels - np.array(cfg.mean)) / np.array(cfg.std)
  with torch.no_grad():
    expected = module(torch.tensor(standard.transpose(0, 3, 1, 2), dtype=torch.float32)).numpy()
  np.testing.assert_allclose(model(pixels), expected, atol=1e-4 * np.ptp(expected))
  assert model.config.num_classes == 1000


def test_open_clip_builds_a_zero_shot_model_with_its_own_tokenizer(cached, monkeypatch):
  torch.manual_seed(0)
  config = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
  }
  monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "tiny", config)
  monkeypatch.setitem(
    open_clip.pretrained._PRETRAINED,
    "tiny",
    {
      "mine": {
        "hf_hub": "someone/tiny/",
        "mean": (0.5, 0.5, 0.5),
        "std": (0.25, 0.25, 0.25),
        "interpolation": "bilinear",
        "resize_mode": "squash",
      }
    },
  )
  module = open_clip.create_model("tiny").eval()
  cached("someone/tiny", "open_clip_model.safetensors", _contiguous(module))
  model = models.load("open_clip:tiny/mine")
  assert model.preprocess == models.Preprocess(32, interpolation="bilinear", squash=True)
  classifier = models.zero_shot(model, ["cat", "dog"], ["a photo of a {}."])
  images = np.random.default_rng(0).random((2, 32, 32, 3), np.float32)
  with torch.no_grad():
    seen = module.encode_image(torch.tensor((images - 0.5) / 0.25).permute(0, 3, 1, 2))
    tokens = open_clip.get_tokenizer("tiny")([f"a photo of a {name}." for name in ("cat", "dog")])
    read = module.encode_text(tokens)
    unit = nn.functional.normalize
    expected = module.logit_scale.exp() * unit(seen, dim=-1) @ unit(read, dim=-1).T
  np.testing.assert_allclose(classifier(images), expected.numpy(), atol=1e-4)


def _robustbench(monkeypatch, preprocessing):
  """What RobustBench offers of itself; it cannot be installed without CUDA's torchvision."""
  named = enum.Enum("named", {"imagenet": "imagenet", "linf": "Linf"})
  entries = {"Somebody2024": {"preprocessing": preprocessing}}
  package, utils, zoo = (
    types.ModuleType(f"robustbench{name}") for name in ("", ".utils", ".model_zoo")
  )
  zoo.model_dicts = {named.imagenet: {named.linf: entries}}

  def load_model(name, folder, data, threat):
    state = torch.load(f"{folder}/{data}/{threat}/{name}.pt")
    module = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 1000))
    module.load_state_dict(state)
    return module

  utils.load_model = load_model
  for module in (package, utils, zoo):
    monkeypatch.setitem(sys.modules, module.__name__, module)
  monkeypatch.setattr("jaxbench.models.foreign.packages.metadata.version", lambda name: "1.1")


def test_robustbench_builds_a_classifier_that_normalises_itself(cached, monkeypatch, tmp_path):
  _robustbench(monkeypatch, "Res256Crop224")
  monkeypatch.setenv("ROBUSTBENCH_MODELS", str(tmp_path))
  name = "robustbench:imagenet/Linf/Somebody2024"
  with pytest.raises(
    errors.InputError, match=r"Linf/Somebody2024.pt is not there; name its folder"
  ):
    models.load(name)
  file = tmp_path / "imagenet/Linf/Somebody2024.pt"
  file.parent.mkdir(parents=True)
  module = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 1000))
  torch.save(module.state_dict(), file)
  model = models.load(name)
  assert model.preprocess == models.Preprocess(224, 256, "bilinear")
  images = np.random.default_rng(0).random((2, 224, 224, 3), np.float32)
  with torch.no_grad():
    expected = module(torch.tensor(images).permute(0, 3, 1, 2)).numpy()
  np.testing.assert_allclose(model(images), expected, atol=1e-5)


@pytest.mark.parametrize(
  ("name", "message"),
  [
    ("timm:resnt50", "timm:resnt50: there is no 'resnt50'; did you mean resnet50"),
    ("timm:resnet50.none", "there is no 'resnet50.none'; did you mean resnet50."),
    (TIMM, "cannot be built: .*; if it is not on this disk, --config.download=True fetches it"),
    ("open_clip:ViT-B-23/openai", "there is no 'ViT-B-23'; did you mean ViT-B-32"),
    ("open_clip:ViT-B-32/opnai", "there is no 'opnai'; did you mean openai"),
    ("open_clip:ViT-B-32/openai", "cannot be built: .*--config.download=True fetches it"),
    (
      "robustbench:imagenet/Linf/Nobody",
      "robustbench cannot be imported .*: pip install robustbench",
    ),
  ],
)
def test_what_cannot_be_had_is_one_line(name, message, cached):
  with pytest.raises(errors.InputError, match=message) as raised:
    models.describe(name)
  assert "\n" not in str(raised.value)


def test_a_preprocessing_that_is_not_built_is_named(cached, monkeypatch):
  _robustbench(monkeypatch, "Crop288")
  with pytest.raises(errors.InputError, match="preprocessing 'Crop288' is not built here"):
    models.describe("robustbench:imagenet/Linf/Somebody2024")


def test_nothing_is_fetched_unless_it_is_asked_for(cached, monkeypatch):
  asked = []

  def look_up(*arguments, **options):
    asked.append(arguments)
    raise OSError("no network here")

  monkeypatch.setattr("socket.getaddrinfo", look_up)
  with pytest.raises(errors.InputError):
    models.describe(TIMM)
  assert not asked
  assert not constants.HF_HUB_OFFLINE
