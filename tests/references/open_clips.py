"""Folders with small models of open_clip, whose networks of timm are small ones, too."""

import json

import torch

from references import checkpoints, parity
from references.writers import open_clip, timm

IMAGES = {"mean": [0.5, 0.4, 0.5], "std": [0.2, 0.3, 0.4]}
TEXT = {"width": 32, "heads": 4, "layers": 2, "context_length": 12}
_OF_TOKENIZERS = ("hf_tokenizer_name", "tokenizer_kwargs")


def write(folder, model, monkeypatch=None, trunk=(), images=None):
  """What open_clip writes of the configuration `model`; `trunk` are changes to timm's network."""
  torch.manual_seed(0)
  built = {key: value for key, value in model.items() if key != "custom_text"}
  text = {key: value for key, value in model["text_cfg"].items() if key not in _OF_TOKENIZERS}
  build = open_clip.CustomTextCLIP if model.get("custom_text") else open_clip.CLIP
  build = open_clip.CoCa if "multimodal_cfg" in model else build
  if monkeypatch is None:
    reference = build(**built | {"text_cfg": text})
  else:
    create = timm.create_model
    with monkeypatch.context() as patch:
      patch.setattr(timm, "create_model", lambda name, **rest: create(name, **rest | dict(trunk)))
      reference = build(**built | {"text_cfg": text})
  parity.randomize(reference)
  checkpoints.write_safetensors(reference.state_dict(), folder / "open_clip_model.safetensors")
  config = {"model_cfg": model, "preprocess_cfg": IMAGES if images is None else images}
  (folder / "open_clip_config.json").write_text(json.dumps(config))
  return reference


def encode_text(reference, tokens):
  """float32 [B, D], not normalised."""
  with torch.no_grad():
    return reference.encode_text(torch.tensor(tokens), normalize=False).numpy()
