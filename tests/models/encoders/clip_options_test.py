"""Towers that differ from CLIP's, as open_clip configures them: CLIPA, MetaCLIP 2, CoCa."""

import json

import jax
import numpy as np
import pytest
from references import open_clips, parity, texts
from references.writers import open_clip

from jaxbench import errors, models

VISION = {"image_size": 32, "layers": 2, "width": 48, "patch_size": 8, "head_width": 16}
TEXT = open_clips.TEXT
CLIPA = {"pool_type": "last", "no_causal_mask": True, "vocab_size": 200}
CLIPA |= {"hf_tokenizer_name": "bert-base-uncased", "tokenizer_kwargs": {"strip_sep_token": True}}
WORLDWIDE = {"pool_type": "eos", "eos_id": 2, "vocab_size": 200}
WORLDWIDE |= {"hf_tokenizer_name": "facebook/xlm-v-base"}
TEXTS = ["a photo of a cat", "Two dogs!", "", "word " * 20]


def model(vision=(), text=(), **more):
  towers = {"vision_cfg": {**VISION, **dict(vision)}, "text_cfg": {**TEXT, **dict(text)}}
  return {"embed_dim": 24, **towers, **more}


CONFIGURATIONS = {
  "CLIPA": model({"no_ln_pre": True, "pool_type": "avg", "final_ln_after_pool": True}, CLIPA),
  "worldwide": model(text=WORLDWIDE, quick_gelu=True),
  "layer scale, mean of normed patches": model({"ls_init_value": 0.1, "pool_type": "avg"}),
  "projection with a bias, not causal": model(
    text={"proj_bias": True, "no_causal_mask": True, "vocab_size": 49_500}
  ),
  "no projection, the first position": model(
    text={"proj_type": "none", "pool_type": "first", "width": 24, "no_causal_mask": True},
    custom_text=True,
  ),
  "CoCa": model(
    {"attentional_pool": True, "attn_pooler_heads": 4, "output_tokens": True},
    {"embed_cls": True, "output_tokens": True},
    custom_text=True,
    multimodal_cfg={"width": 32, "heads": 4, "layers": 1, "context_length": 12},
  ),
  "CoCa without attentional pool": model(
    {"output_tokens": True},
    {"embed_cls": True, "output_tokens": True},
    custom_text=True,
    multimodal_cfg={"width": 32, "heads": 4, "layers": 1, "context_length": 12},
  ),
}


def write(folder, name):
  texts.write_bert(folder) if name == "CLIPA" else texts.write_xlm_roberta(folder)
  return open_clips.write(folder, CONFIGURATIONS[name])


@pytest.mark.usual("CLIPA", "worldwide", "CoCa")
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_open_clip(tmp_path, name):
  reference = write(tmp_path, name)
  clip = models.load(str(tmp_path))
  parity.assert_same(clip.visual, lambda x: reference.encode_image(x, normalize=False), clip.config)
  tokens = clip.tokenize(TEXTS)
  expected = open_clips.encode_text(reference, tokens)
  np.testing.assert_allclose(clip.encode_text(tokens), expected, atol=1e-5 * np.ptp(expected))
  # A zero-shot classifier, which leaves out what follows the end of a text, is the same.
  classifier = models.zero_shot(clip, TEXTS, ("{}",))
  expected /= np.linalg.norm(expected, axis=1, keepdims=True)
  np.testing.assert_allclose(classifier.text.T, expected, atol=1e-5)


def test_decoders_are_left_and_that_is_said(tmp_path):
  write(tmp_path, "CoCa")
  assert models.describe(str(tmp_path)).source.endswith(", without its text decoder")


@pytest.mark.parametrize("name", ["CLIPA", "worldwide"])
def test_tokens_are_those_of_open_clip(tmp_path, name):
  write(tmp_path, name)
  options = CONFIGURATIONS[name]["text_cfg"].get("tokenizer_kwargs", {})
  reference = open_clip.tokenizer.HFTokenizer(str(tmp_path), context_length=12, **options)
  found = models.load(str(tmp_path)).tokenize(texts.STRINGS)
  np.testing.assert_array_equal(found, reference(texts.STRINGS).numpy())


def test_a_converted_one_needs_nothing_of_its_source(tmp_path):
  (tmp_path / "source").mkdir()
  write(tmp_path / "source", "CLIPA")
  clip = models.load(str(tmp_path / "source"))
  models.save(clip, tmp_path / "saved", "a test")
  (tmp_path / "source").rename(tmp_path / "gone")
  again = models.load(str(tmp_path / "saved"))
  assert again.config == clip.config
  np.testing.assert_array_equal(
    again.tokenize(TEXTS), models.load(str(tmp_path / "gone")).tokenize(TEXTS)
  )
  assert all(map(np.array_equal, jax.tree.leaves(clip), jax.tree.leaves(again)))


@pytest.mark.parametrize("name", ["CLIPA", "worldwide", "CoCa"])
def test_prompts_of_tokens_are_for_clips_own_text_tower(tmp_path, name):
  write(tmp_path, name)
  config = models.describe(str(tmp_path)).config
  with pytest.raises(errors.InputError, match="for CLIP's text tower"):
    models.check_prompts(config, ["cat"], models.TokenPrompts(((320,),)))


@pytest.mark.parametrize(
  ("name", "part", "change", "message"),
  [
    ("CoCa", "vision_cfg", {"attentional_pool": "parallel"}, "attentional_pool 'parallel' is not"),
    ("CoCa", "vision_cfg", {"pool_type": "avg"}, "and pool_type 'avg': not built together"),
    ("CoCa", "vision_cfg", {"width": 24, "head_width": 8}, "embed_dim 24, the width: not built"),
    ("CoCa", "vision_cfg", {"attn_pooler_heads": 5}, "no multiple of attn_pooler_heads 5"),
    ("CoCa", "text_cfg", {"vocab_size": 300}, "vocab_size 300: CLIP's own tokenizer has 49408"),
    ("CoCa", "text_cfg", {"proj_type": "none"}, "proj_type is 'none', and width is not embed_dim"),
    ("worldwide", "text_cfg", {"eos_id": "x"}, "eos_id is 'x', not a whole number"),
    ("worldwide", "text_cfg", {"pool_type": "mean"}, "pool_type 'mean' is not supported"),
    ("worldwide", "vision_cfg", {"pos_embed_type": "x"}, "'pos_embed_type' is set to 'x'"),
  ],
)
def test_what_is_not_built_is_refused(tmp_path, name, part, change, message):
  texts.write_xlm_roberta(tmp_path)
  whole = {"model_cfg": json.loads(json.dumps(CONFIGURATIONS[name]))}
  whole["model_cfg"][part].update(change)
  (tmp_path / "open_clip_config.json").write_text(json.dumps(whole))
  with pytest.raises(errors.InputError, match=message):
    models.describe(str(tmp_path))
