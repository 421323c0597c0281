"""Prompts of tokens and vectors; RoZ's."""

import gzip
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxbench import data, errors, models, tables
from jaxbench.models.prompting import context

NAMES = data.load("digits").class_names
PHOTO = (320, 1125, 539, 320)  # "a photo of a".
START, END = 49_406, 49_407


def _unit(x):
  return x / np.linalg.norm(x, axis=-1, keepdims=True)


_encode = jax.jit(lambda clip, tokens: clip.encode_text(tokens))


def _classes(clip, prompts, names=NAMES):
  """By sequences written out by hand."""
  rows = np.zeros((len(prompts), len(names), 16), np.int32)
  for prompt, ids in zip(rows, prompts, strict=True):
    for row, name in zip(prompt, names, strict=True):
      middle = [token for token in models.tokenize([name])[0] if token not in (0, START, END)]
      row[: len(ids) + len(middle) + 2] = [START, *ids, *middle, END]
  each = np.asarray(_encode(clip, rows.reshape(-1, 16))).reshape(*rows.shape[:2], -1)
  return _unit(_unit(each).mean(axis=0))


@pytest.mark.slow
def test_tokens_stand_between_the_start_and_the_name(clip):
  prompts = (PHOTO, (518, 320, 539, 1125))
  found = models.zero_shot(clip, NAMES, models.TokenPrompts(prompts))
  np.testing.assert_allclose(found.text.T, _classes(clip, prompts), atol=1e-5)
  # The same as a sentence, where its tokens are those of the sentence.
  sentence = models.zero_shot(clip, NAMES, ["a photo of a {}"])
  alone = models.zero_shot(clip, NAMES, models.TokenPrompts((PHOTO,)))
  np.testing.assert_allclose(alone.text, sentence.text, atol=1e-5)


def test_vectors_stand_in_place_of_embedded_tokens(clip):
  prompts = (PHOTO, PHOTO[::-1])
  vectors = np.asarray(clip.text.embed(jnp.array(prompts)))
  soft = models.SoftPrompts(tuple(tuple(map(tuple, one.tolist())) for one in vectors), "")
  found = models.zero_shot(clip, NAMES, soft)
  np.testing.assert_allclose(found.text.T, _classes(clip, prompts), atol=1e-5)


def test_short_and_long_names_are_read_apart_and_come_in_their_order(clip):
  names = ["a black drawing of one and two", *NAMES[:5], "a photo of three and a four", *NAMES[5:]]
  suffixes = context.suffixes(clip.config, names, 4)
  assert [group.shape for group in suffixes.groups] == [(10, 2), (2, 8)]
  found = models.zero_shot(clip, names, models.TokenPrompts((PHOTO,)))
  np.testing.assert_allclose(found.text.T, _classes(clip, (PHOTO,), names), atol=1e-5)


def test_many_names_are_read_in_batches(clip):
  names = [*NAMES] * 30  # More than one batch, of unequal sizes.
  found = models.zero_shot(clip, names, models.TokenPrompts((PHOTO,))).text
  np.testing.assert_allclose(found[:, -10:], found[:, :10], atol=1e-6)


# Spec of RoZ's logs: lines, prompts used, count of the last used and the first unused, whether the
# initial prompt is used, the most frequent prompt and its count.
ROZ = {
  "RN50": (982, 49, [4, 3], False, [23703, 1150, 316, 3628], 48),
  "RN101": (804, 8, [5, 5], False, [7395, 16694, 7811, 320], 20),
  "RN50x4": (636, 7, [3, 3], False, [2689, 1381, 34383, 550], 6),
  "RN50x16": (574, 22, [2, 2], False, [19754, 29151, 1546, 15319], 11),
  "ViT-B/16": (449, 84, [1, 1], True, [1594, 10566, 41844, 320], 33),
  "ViT-B/32": (463, 188, [1], True, [1848, 1664, 653, 912], 45),
}


def test_roz_table_is_its_logs_counted():
  packed = tables.path("roz_clip_auto_prompts.json.gz").read_bytes()
  logs = json.loads(gzip.decompress(packed))["models"]
  assert logs.keys() == ROZ.keys()
  for name, (lines, used, border, initial, first, most) in ROZ.items():
    prompts = [prompt["tokens"] for prompt in logs[name]["prompts"]]
    counts = [prompt["count"] for prompt in logs[name]["prompts"]]
    assert logs[name]["used"] == used
    assert counts == sorted(counts, reverse=True)
    assert sum(counts) == lines + 1  # The initial prompt counts once more.
    assert counts[used - 1 : used + 1] == border
    assert (prompts[0], counts[0]) == (first, most)
    assert len({tuple(ids) for ids in prompts}) == len(prompts)
    assert list(PHOTO) in prompts
    assert (list(PHOTO) in prompts[:used]) == initial


def test_roz_auto_is_the_own_list_of_each_of_its_encoders():
  prompts = models.templates("roz_auto")
  for name, (_, used, _, initial, first, _) in ROZ.items():
    own = prompts.encoders[f"{name.replace('/', '-')}-quickgelu"].ids
    assert len(own) == used
    assert own[0] == tuple(first)
    assert (PHOTO in own) == initial
    shape = models.ARCHITECTURES[f"{name.replace('/', '-')}-quickgelu"]
    models.check_prompts(shape, models.imagenet_class_names(), prompts)
  for other in ("ViT-B-32", "ViT-L-14-quickgelu", "RN50x64-quickgelu"):
    with pytest.raises(errors.InputError, match="this is none of them"):
      models.check_prompts(models.ARCHITECTURES[other], ["cat"], prompts)


@pytest.mark.slow
def test_roz_auto_ensembles_them(monkeypatch):
  """On a small encoder that passes for ViT-B/32, without its depth."""
  tower = models.TowerConfig(16, 1, 2, 32, "quick_gelu")
  shape = models.CLIPConfig(8, tower, tower, patch_size=8, preprocess=models.Preprocess(16))
  monkeypatch.setitem(models.ARCHITECTURES, "ViT-B-32-quickgelu", shape)
  clip = models.CLIP(shape, rngs=nnx.Rngs(0))
  prompts = models.templates("roz_auto")
  found = models.zero_shot(clip, NAMES, prompts)
  own = prompts.encoders["ViT-B-32-quickgelu"].ids
  np.testing.assert_allclose(found.text.T, _classes(clip, own), atol=1e-5)


def test_what_a_model_cannot_read_is_refused(clip):
  with pytest.raises(errors.InputError, match=r"makes 78 tokens, and this model reads 77"):
    models.zero_shot(clip, ["zero", "one"], models.TokenPrompts(((320,) * 75,)))
  models.check_prompts(clip.config, ["zero", "one"], models.TokenPrompts(((320,) * 74,)))
  with pytest.raises(errors.InputError, match=r"lacks one of the prompts: 2368 \('cat'\)"):
    models.zero_shot(clip, NAMES, models.TokenPrompts(((2368,),)))
  with pytest.raises(errors.InputError, match="lacks one of class name 'giraffe'"):
    models.zero_shot(clip, ["giraffe"], models.TokenPrompts((PHOTO,)))
  with pytest.raises(errors.InputError, match="vectors of 3 numbers, and this model's words of 64"):
    models.zero_shot(clip, NAMES, models.SoftPrompts((((0.0, 1.0, 2.0),),), ""))
  with pytest.raises(errors.InputError, match="are for CLIP's text tower"):
    siglip = models.ARCHITECTURES["ViT-B-16-SigLIP"]
    models.check_prompts(siglip, NAMES, models.TokenPrompts((PHOTO,)))


def test_prompts_come_from_files(tmp_path):
  tokens = {"prompts": [{"ids": [1, 2], "text": "!"}, {"ids": [3, 4]}], "data": {"ids": ["a"]}}
  (tmp_path / "tokens.json").write_text(json.dumps(tokens))
  found = models.templates(str(tmp_path / "tokens.json"))
  assert found == models.TokenPrompts(((1, 2), (3, 4)))
  assert models.searched_on(str(tmp_path / "tokens.json")) == {"a"}
  soft = {"prompts": [{"vectors": [[0.5, 1], [2, 3]]}], "model": {"sha256": "x"}}
  (tmp_path / "soft.json").write_text(json.dumps(soft))
  vectors = (((0.5, 1.0), (2.0, 3.0)),)
  assert models.templates(str(tmp_path / "soft.json")) == models.SoftPrompts(vectors, "x")
  assert models.searched_on(str(tmp_path / "soft.json")) == frozenset()
  assert models.searched_on("openai_80") == frozenset()


@pytest.mark.parametrize(
  "prompts",
  [
    '[{"ids": []}]',
    '[{"ids": [1]}, {"ids": [1, 2]}]',
    '[{"ids": [49406]}]',
    '[{"ids": [-1]}]',
    '[{"ids": ["a"]}]',
    '[{"ids": 3}]',
    '[{"vectors": [[1], [1, 2]]}]',
    '[{"vectors": [[1], [2]]}]',
    "[{}]",
  ],
)
def test_files_with_broken_prompts_are_refused(prompts, tmp_path):
  (tmp_path / "a.json").write_text(f'{{"prompts": {prompts}}}')
  with pytest.raises(errors.InputError, match=r"a\.json: its \"prompts\" must have"):
    models.templates(str(tmp_path / "a.json"))


def test_printable_tokens_are_those_that_openai_decodes_to_text():
  """Its byte decoder, written out."""
  from jaxbench.models.encoders import tokenizer

  visible = [*range(33, 127), *range(161, 173), *range(174, 256)]
  characters = {chr(byte): byte for byte in visible}
  hidden = [byte for byte in range(256) if byte not in visible]
  characters |= {chr(256 + number): byte for number, byte in enumerate(hidden)}
  words = tokenizer.clip_bpe().get_vocab()
  shown = tokenizer.printable()
  for word, token in words.items():
    if token >= START:
      assert not shown[token]
      continue
    stem = word.removesuffix("</w>")
    text = bytes(characters[one] for one in stem).decode("utf-8", errors="replace").strip()
    assert shown[token] == (bool(text) and text.isprintable() and "\ufffd" not in text), word
    if shown[token]:
      assert models.decode([token]) == text
  assert 45_000 < shown.sum() < START


def test_a_prompter_reads_names_behind_a_context_as_prompts_are_read():
  clip = models.load("digits-clip")
  embed, vectors = models.prompter(clip, NAMES)
  assert models.phrase().ids == (PHOTO,)
  text = jax.jit(lambda embed, vectors: embed(vectors))(embed, vectors)
  expected = models.zero_shot(clip, NAMES, models.phrase()).text.T
  np.testing.assert_allclose(text, expected, atol=1e-5)
  with pytest.raises(errors.InputError, match="this model's embedding table"):
    models.prompter(clip, ["zebra"])
