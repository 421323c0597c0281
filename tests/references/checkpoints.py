"""Random models of transformers, and folders with the files that people have."""

import json
import re

import safetensors.torch
import torch
import transformers as hf

from references.parity import randomize

CLIP_PROCESSOR = {
  "image_mean": [0.48145466, 0.4578275, 0.40821073],
  "image_std": [0.26862954, 0.26130258, 0.27577711],
  "resample": 3,
  "size": 32,
  "crop_size": 32,
  "do_center_crop": True,
  "do_normalize": True,
}
_HALF = {"image_mean": [0.5, 0.4, 0.5], "image_std": [0.5, 0.5, 0.3], "do_normalize": True}
SQUASH_PROCESSOR = {**_HALF, "resample": 2, "size": {"height": 32, "width": 32}}
CROP_PROCESSOR = {**_HALF, "resample": 3, "size": 32, "crop_pct": 0.875}
_TEXT = {"hidden_size": 32, "intermediate_size": 96, "num_hidden_layers": 2}
VISION = {
  "hidden_size": 48,
  "intermediate_size": 160,
  "num_hidden_layers": 2,
  "num_attention_heads": 3,
  "image_size": 32,
  "patch_size": 8,
}


def clip(activation="quick_gelu"):
  torch.manual_seed(0)
  config = hf.CLIPConfig(
    text_config={**_TEXT, "num_attention_heads": 4, "hidden_act": activation},
    vision_config={**VISION, "hidden_act": activation},
    projection_dim=24,
  )
  return randomize(hf.CLIPModel(config))


def siglip(words=300, pad=1):
  torch.manual_seed(0)
  config = hf.SiglipConfig(
    text_config={
      **_TEXT,
      "hidden_size": 48,
      "num_attention_heads": 4,
      "vocab_size": words,
      "max_position_embeddings": 16,
      "bos_token_id": 1,
      "eos_token_id": 1,
      "pad_token_id": pad,
    },
    vision_config=VISION,
  )
  return randomize(hf.SiglipModel(config))


def naflex():
  """SigLIP 2 for images of any shape: 16 patches of 8 pixels, a square of 32."""
  torch.manual_seed(0)
  vision = {key: value for key, value in VISION.items() if key != "image_size"}
  text = {**_TEXT, "hidden_size": 48, "num_attention_heads": 4, "vocab_size": 300}
  text |= {"max_position_embeddings": 16, "bos_token_id": 1, "eos_token_id": 1, "pad_token_id": 1}
  config = hf.Siglip2Config(text_config=text, vision_config={**vision, "num_patches": 16})
  return randomize(hf.Siglip2Model(config))


def write_huggingface(model, folder, processor, **options):
  """As `save_pretrained` writes it, with its image processor beside."""
  model.save_pretrained(folder, **options)
  (folder / "preprocessor_config.json").write_text(json.dumps(processor))
  return str(folder)


def write_safetensors(tensors, file):
  """Any state dict as safetensors."""
  file.parent.mkdir(parents=True, exist_ok=True)
  safetensors.torch.save_file({name: t.contiguous() for name, t in tensors.items()}, file)
  return str(file)


def write_timm(tensors, folder, **changes):
  """A folder of timm, of the architecture that the fixture `register` names; images may differ."""
  images = {
    "input_size": [3, 32, 32],
    "mean": [0.5, 0.4, 0.5],
    "std": [0.5, 0.5, 0.3],
    "interpolation": "bicubic",
    "crop_pct": 0.9,
    "num_classes": 5,
  }
  config = {"architecture": "small", "num_classes": 5, "pretrained_cfg": images | changes}
  write_safetensors(tensors, folder / "model.safetensors")
  (folder / "config.json").write_text(json.dumps(config))
  return str(folder)


def renamed(tensors, *pairs):
  """The tensors of another library's model of the same network: patterns and replacements."""
  named = {}
  for name, tensor in tensors.items():
    for pattern, replacement in pairs:
      name = re.sub(pattern, replacement, name)
    named[name] = tensor
  return named


def read_safetensors(file):
  """The tensors of a file by name."""
  return safetensors.torch.load_file(file)


def write_tokenizer(folder, pad="</s>", words=300):
  """A SentencePiece-like tokenizer.json with its end token, as SigLIP's checkpoints carry one."""
  from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

  pieces = [("<unk>", 0.0), ("</s>", 0.0), ("<pad>", 0.0)]
  pieces += [(f"▁{a}", -1.0) for a in "abcdefghijklmnopqrstuvwxyz"]
  pieces += [(a, -2.0) for a in "abcdefghijklmnopqrstuvwxyz"]
  pieces += [("▁photo", -0.5), ("▁of", -0.5), ("▁cat", -0.5), ("▁dog", -0.5)]
  tokenizer = Tokenizer(models.Unigram(pieces[:words], unk_id=0))
  tokenizer.normalizer = normalizers.Lowercase()
  tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
  tokenizer.post_processor = processors.TemplateProcessing(
    single="$A </s>", special_tokens=[("</s>", 1)]
  )
  tokenizer.add_special_tokens(["<unk>", "</s>", "<pad>"])
  tokenizer.save(str(folder / "tokenizer.json"))
  (folder / "tokenizer_config.json").write_text(json.dumps({"pad_token": {"content": pad}}))
  return tokenizer
