"""CLIPs whose text tower is a RoBERTa of transformers, in open_clip's folders."""

import json

import numpy as np
import pytest
import torch
import transformers as hf
from references import checkpoints, open_clips, parity, texts
from references.writers import open_clip

from jaxbench import errors, models
from jaxbench.models.encoders import roberta
from jaxbench.models.encoders.roberta import RobertaConfig
from jaxbench.models.parts.transformer import TowerConfig

VISION = {"image_size": 32, "layers": 1, "width": 48, "patch_size": 8, "head_width": 16}
TEXTS = ["a photo of a cat", "Two dogs!", "", "word " * 20]


def write(folder, monkeypatch, **text):
  """A small one, under the name of a published one."""
  torch.manual_seed(0)
  texts.write_xlm_roberta(folder)
  tower = TowerConfig(32, 2, 4, 64, "gelu")
  monkeypatch.setitem(roberta.NAMED, "xlm-roberta-base", (RobertaConfig(tower), 200))
  config = hf.XLMRobertaConfig(
    vocab_size=200,
    hidden_size=32,
    num_hidden_layers=2,
    num_attention_heads=4,
    intermediate_size=64,
    max_position_embeddings=514,
    type_vocab_size=1,
    layer_norm_eps=1e-5,
  )
  named = {"hf_model_name": "xlm-roberta-base", "hf_pooler_type": "mean_pooler", **text}
  words = {**named, "hf_tokenizer_name": "xlm-roberta-base", "context_length": 12}
  model = {"embed_dim": 24, "vision_cfg": VISION}
  with monkeypatch.context() as patch:
    patch.setattr(open_clip.hf_model.AutoConfig, "from_pretrained", lambda name: config)
    built = {"text_cfg": {**named, "hf_model_pretrained": False}}
    reference = parity.randomize(open_clip.CustomTextCLIP(**model, **built))
  checkpoints.write_safetensors(reference.state_dict(), folder / "open_clip_model.safetensors")
  whole = {"model_cfg": {**model, "text_cfg": words}, "preprocess_cfg": open_clips.IMAGES}
  (folder / "open_clip_config.json").write_text(json.dumps(whole))
  return reference


@pytest.mark.parametrize("projection", ["mlp", "linear"])
def test_open_clip(tmp_path, monkeypatch, projection):
  reference = write(tmp_path, monkeypatch, hf_proj_type=projection)
  clip = models.load(str(tmp_path))
  tokens = clip.tokenize(TEXTS)
  tokenizer = open_clip.tokenizer.HFTokenizer(str(tmp_path), context_length=12)
  np.testing.assert_array_equal(tokens, tokenizer(TEXTS).numpy())
  expected = open_clips.encode_text(reference, tokens)
  np.testing.assert_allclose(clip.encode_text(tokens), expected, atol=1e-5 * np.ptp(expected))
  classifier = models.zero_shot(clip, TEXTS, ("{}",))
  expected /= np.linalg.norm(expected, axis=1, keepdims=True)
  np.testing.assert_allclose(classifier.text.T, expected, atol=1e-5)
  parity.assert_same(clip.visual, reference.encode_image, clip.config, gradient=False)


@pytest.mark.parametrize(
  ("change", "message"),
  [
    ({"hf_model_name": "bert"}, "hf_model_name 'bert': that text tower is not built here"),
    ({"hf_pooler_type": "cls_pooler"}, "hf_pooler_type 'cls_pooler' is not supported"),
    ({"hf_proj_type": "x"}, "hf_proj_type 'x' is not supported"),
    ({"hf_tokenizer_name": None}, "lacks 'hf_tokenizer_name'"),
  ],
)
def test_what_is_not_built_is_refused(tmp_path, monkeypatch, change, message):
  write(tmp_path, monkeypatch)
  file = tmp_path / "open_clip_config.json"
  whole = json.loads(file.read_text())
  whole["model_cfg"]["text_cfg"].update(change)
  file.write_text(json.dumps(whole))
  with pytest.raises(errors.InputError, match=message):
    models.describe(str(tmp_path))
