"""SigLIP and SigLIP 2 in open_clip's folders: image towers of timm, texts as open_clip has them."""

import functools
import importlib
import json
import sys
import types

import numpy as np
import pytest
import torch
import transformers as hf
from PIL import Image
from references import checkpoints, open_clips, parity, texts
from references.writers import open_clip

from jaxbench import errors, models
from jaxbench.models.encoders import siglip_sizes
from jaxbench.models.encoders.tokenizer_file import CLEANERS
from jaxbench.models.family import Sized
from jaxbench.models.parts.transformer import TowerConfig

SIZE, WIDTH = 32, 48
TEXT = {
  "context_length": 12,
  "vocab_size": 300,
  "hf_tokenizer_name": "timm/ViT-B-16-SigLIP",
  "tokenizer_kwargs": {"clean": "canonicalize"},
  "width": WIDTH,
  "heads": 4,
  "layers": 2,
  "no_causal_mask": True,
  "proj_bias": True,
  "pool_type": "last",
  "norm_kwargs": {"eps": 1e-6},
}


def write(folder, monkeypatch, tanh=False, text=()):
  """A folder of open_clip's with a small SigLIP, whose image tower is one of timm's."""
  activation = "gelu_tanh" if tanh else "gelu"
  name = "vit_base_patch16_siglip_224"
  tower = TowerConfig(WIDTH, 2, 3, 96, activation, 1e-6)
  monkeypatch.setitem(siglip_sizes.TRUNKS, name, Sized(tower, 8, SIZE))
  trunk = {
    "img_size": SIZE,
    "patch_size": 8,
    "embed_dim": WIDTH,
    "depth": 2,
    "num_heads": 3,
    "mlp_ratio": 2,
    "act_layer": activation,
  }
  vision = {"image_size": SIZE, "timm_model_name": name, "timm_pool": "map", "timm_proj": "none"}
  text = {**TEXT, **({"act_kwargs": {"approximate": "tanh"}} if tanh else {}), **dict(text)}
  model = {"embed_dim": WIDTH, "init_logit_bias": -10, "vision_cfg": vision, "text_cfg": text}
  images = {"mean": [0.5, 0.4, 0.5], "std": 0.5, "resize_mode": "squash"}
  texts.write_t5(folder)
  return open_clips.write(folder, {**model, "custom_text": True}, monkeypatch, trunk, images)


@pytest.mark.parametrize("tanh", [False, True])
def test_open_clip(tmp_path, monkeypatch, tanh):
  reference = write(tmp_path, monkeypatch, tanh)
  siglip = models.load(str(tmp_path))
  assert siglip.preprocess == models.Preprocess(SIZE, squash=True)
  parity.assert_same(siglip.visual, reference.encode_image, siglip.config)
  tokens = siglip.tokenize(["a photo of a cat", "A DOG", ""])
  expected = open_clips.encode_text(reference, tokens)
  np.testing.assert_allclose(siglip.encode_text(tokens), expected, atol=1e-5 * np.ptp(expected))
  assert float(siglip.logit_bias) == pytest.approx(reference.logit_bias.item())
  assert float(siglip.logit_scale) == pytest.approx(reference.logit_scale.exp().item())


def test_a_text_tower_without_projection(tmp_path, monkeypatch):
  reference = write(tmp_path, monkeypatch, text={"proj_type": "none"})
  siglip = models.load(str(tmp_path))
  tokens = siglip.tokenize(["a photo of a cat"])
  expected = open_clips.encode_text(reference, tokens)
  np.testing.assert_allclose(siglip.encode_text(tokens), expected, atol=1e-5 * np.ptp(expected))


@pytest.mark.parametrize("clean", [None, "canonicalize", "lower", "whitespace"])
def test_tokens_are_those_of_open_clip(tmp_path, monkeypatch, clean):
  options = {} if clean is None else {"clean": clean}
  write(tmp_path, monkeypatch, text={"tokenizer_kwargs": options})
  reference = open_clip.tokenizer.HFTokenizer(str(tmp_path), context_length=12, **options)
  found = models.load(str(tmp_path)).tokenize(texts.STRINGS)
  np.testing.assert_array_equal(found, reference(texts.STRINGS).numpy())


@pytest.mark.parametrize(
  ("part", "change", "message"),
  [
    ("vision", {"timm_pool": "avg"}, "timm_pool 'avg' is not built for vit_base_patch16_siglip"),
    ("vision", {"timm_proj": "linear"}, "timm_proj 'linear' is not built"),
    ("vision", {"image_size": 48}, "image_size 48 contradicts timm_model_name, which takes 32"),
    ("text", {"no_causal_mask": False}, "no_causal_mask False is not supported"),
    ("text", {"pool_type": None}, "lacks 'pool_type'"),
    ("text", {"proj_bias": False}, "proj_bias is false"),
    ("text", {"act_kwargs": {"slope": 1}}, "act_kwargs: 'slope' is set to 1"),
    ("text", {"tokenizer_kwargs": {"clean": "x"}}, "clean 'x' is not supported"),
    ("text", {"tokenizer_kwargs": {"language": "x"}}, "tokenizer_kwargs: 'language' is set to 'x'"),
    ("text", {"hf_tokenizer_name": None}, "lacks 'hf_tokenizer_name'"),
    (
      "text",
      {"hf_model_name": "roberta"},
      "hf_model_name 'roberta': that text tower is not built here; with torch",
    ),
    ("model", {"embed_dim": 24}, "embed_dim is 24, and the towers give 48 and 24"),
    ("model", {"custom_text": False}, "'custom_text' is set to False"),
    ("model", {"init_logit_bias": None}, "lacks 'init_logit_bias'"),
  ],
)
def test_what_is_no_siglip_is_refused(tmp_path, monkeypatch, part, change, message):
  write(tmp_path, monkeypatch)
  file = tmp_path / "open_clip_config.json"
  whole = json.loads(file.read_text())
  model = whole["model_cfg"]
  {"model": model, "vision": model["vision_cfg"], "text": model["text_cfg"]}[part].update(change)
  file.write_text(json.dumps(whole))
  with pytest.raises(errors.InputError, match=message):
    models.describe(str(tmp_path))


def test_a_folder_without_its_tokenizer_says_how_to_get_it(tmp_path, monkeypatch):
  write(tmp_path, monkeypatch)
  (tmp_path / "tokenizer.json").unlink()
  with pytest.raises(errors.InputError, match="put those of timm/ViT-B-16-SigLIP there"):
    models.load(str(tmp_path))


def test_a_robust_tower_alone(tmp_path, monkeypatch):
  write(tmp_path, monkeypatch)
  robust = write(tmp_path / "robust", monkeypatch)
  parity.randomize(robust.visual)
  file = tmp_path / "tower.pt"
  torch.save(robust.visual.state_dict(), file)
  siglip = models.load(str(tmp_path), visual=str(file))
  parity.assert_same(siglip.visual, robust.encode_image, siglip.config, gradient=False)


@pytest.fixture
def naflex(tmp_path):
  """A folder of transformers, and what it holds."""
  reference = checkpoints.naflex()
  checkpoints.write_tokenizer(tmp_path)
  processor = hf.Siglip2ImageProcessorPil(patch_size=8, max_num_patches=16)
  reference.save_pretrained(tmp_path)
  processor.save_pretrained(tmp_path)
  return reference, processor, str(tmp_path)


@pytest.mark.slow
def test_naflex_on_its_square_grid(naflex):
  reference, processor, folder = naflex
  siglip = models.load(folder)
  picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8))
  inputs = processor(picture, return_tensors="pt")
  with torch.no_grad():
    expected = reference.get_image_features(**inputs).pooler_output.numpy()
  image = np.float32(siglip.preprocess(picture)[None]) / 255
  np.testing.assert_allclose(siglip.encode_image(image), expected, atol=1e-5 * np.ptp(expected))

  def of_patches(pixels):
    x = pixels.unfold(2, 8, 8).unfold(3, 8, 8).permute(0, 2, 3, 4, 5, 1).flatten(3).flatten(1, 2)
    shapes = torch.tensor([[4, 4]] * len(x))
    return reference.get_image_features(x, torch.ones(x.shape[:2]), shapes).pooler_output

  parity.assert_same(siglip.visual, of_patches, siglip.config)
  tokens = siglip.tokenize(["a photo of a cat", "A DOG"])
  with torch.no_grad():
    outputs = reference.get_text_features(torch.tensor(tokens, dtype=torch.long))
  expected = outputs.pooler_output.numpy()
  np.testing.assert_allclose(siglip.encode_text(tokens), expected, atol=1e-5 * np.ptp(expected))


def test_naflex_says_what_is_read_of_it(naflex):
  *_, folder = naflex
  assert models.describe(folder).source.endswith(", images of one square grid alone")
  with pytest.raises(errors.InputError, match="image_size=64: of this model images of one square"):
    models.load(folder, image_size=64)


@pytest.mark.parametrize(
  ("kind", "clean", "pad_left"),
  [
    ("SiglipTokenizer", "siglip", False),
    ("GemmaTokenizerFast", "siglip2", True),
    ("T5TokenizerFast", "siglip2", False),
  ],
)
def test_transformers_reads_texts_as_its_class_does(tmp_path, kind, clean, pad_left):
  checkpoints.write_tokenizer(tmp_path)
  file = tmp_path / "tokenizer_config.json"
  file.write_text(json.dumps({"pad_token": "</s>", "tokenizer_class": kind}))
  folder = checkpoints.write_huggingface(
    checkpoints.siglip(), tmp_path, checkpoints.SQUASH_PROCESSOR
  )
  siglip = models.load(folder)
  found = siglip.config.tokenizer
  assert (found.clean, found.pad_left) == (clean, pad_left)
  (dotted, plain) = siglip.tokenize(["A cat.", "a cat"])
  assert np.array_equal(dotted, plain) == (clean == "siglip")
  assert (plain[-1] == 1) and (plain[0] == 1) == pad_left


def test_punctuation_is_what_transformers_takes_for_it(monkeypatch):
  """Its class needs sentencepiece; what it does with a text before does not."""
  monkeypatch.setitem(sys.modules, "sentencepiece", types.ModuleType("sentencepiece"))
  name = "transformers.models.siglip.tokenization_siglip"
  theirs = importlib.import_module(name).SiglipTokenizer
  monkeypatch.delitem(sys.modules, name)
  unbound = types.SimpleNamespace(do_lower_case=True)
  unbound.remove_punctuation = functools.partial(theirs.remove_punctuation, unbound)
  for text in texts.STRINGS:
    assert CLEANERS["siglip"](text) == theirs.canonicalize_text(unbound, text)
