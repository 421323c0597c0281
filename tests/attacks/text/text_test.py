"""Attacks on texts: the space of edits, searches beside exhaustive ones, the queue, the verdict."""

import functools
import itertools
import json
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxbench import attacks, errors
from jaxbench.attacks.text import edits

text = attacks.text
LENGTH, ALPHABET = 12, "abc xyz"
DRAW = np.random.default_rng(0)
TABLE = DRAW.normal(size=(128, 6)).astype(np.float32)
PLACES = DRAW.normal(size=(LENGTH, 1)).astype(np.float32)
CLASSES = DRAW.normal(size=(4, 6)).astype(np.float32)


def _encode(weights, tokens):
  """An encoder to which the place of a character matters."""
  table, places = weights
  shape = (*tokens.shape, 6)
  hidden = jnp.tanh(table[tokens] + jnp.broadcast_to(places, shape))
  return jnp.where(jnp.broadcast_to((tokens > 0)[..., None], shape), hidden, 0).sum(axis=1)


ENCODER = jax.tree_util.Partial(
  _encode, (jnp.asarray(TABLE), jnp.broadcast_to(PLACES, (LENGTH, 6)))
)


def tokenize(texts):
  """Characters in lower case, as CLIP reads them: what is written in capitals changes nothing."""
  tokens = np.zeros((len(texts), LENGTH), np.int32)
  for row, one in zip(tokens, texts, strict=True):
    codes = [ord(letter) for letter in one.lower()[:LENGTH]]
    row[: len(codes)] = codes
  return tokens


def _features(texts):
  return np.asarray(ENCODER(jnp.asarray(tokenize(texts))))


def _margin(texts, label):
  features = _features(texts)
  unit = features / np.linalg.norm(features, axis=1, keepdims=True)
  cosines = unit @ (CLASSES / np.linalg.norm(CLASSES, axis=1, keepdims=True)).T
  return np.delete(cosines, label, axis=1).max(axis=1) - cosines[:, label]


def _away(texts, anchor):
  return ((_features(texts) - anchor) ** 2).sum(axis=1)


def _once(sentence, alphabet):
  """What one edit can make of a sentence, some of it several times."""
  for position in edits.positions(sentence):
    for character in ("", *alphabet):
      yield edits.write(sentence, position, character)


@pytest.mark.parametrize("length", range(5))
def test_one_edit_makes_every_string_of_distance_one(length):
  for letters in itertools.product("ab", repeat=length):
    sentence = "".join(letters)
    near = {
      other
      for size in range(max(0, length - 1), length + 2)
      for other in map("".join, itertools.product("ab", repeat=size))
      if edits.distance(sentence, other) <= 1
    }
    assert set(_once(sentence, "ab")) == near
    assert len(edits.positions(sentence)) == 2 * length + 1


def test_writing_what_is_there_deletes_where_it_is_asked_to():
  assert edits.write("a b", 3, " ", deletes=True) == "ab"
  assert edits.write("a b", 3, " ") == "a b"
  assert edits.write("a b", 0, "", deletes=True) == "a b"


@functools.cache
def _levenshtein(one, other):
  if not (one and other):
    return len(one) + len(other)
  return min(
    _levenshtein(one[1:], other) + 1,
    _levenshtein(one, other[1:]) + 1,
    _levenshtein(one[1:], other[1:]) + (one[0] != other[0]),
  )


@given(st.text("abc", max_size=6), st.text("abc", max_size=6))
def test_the_distance_is_levenshteins(one, other):
  assert edits.distance(one, other) == _levenshtein(one, other)


def test_charmer_at_all_positions_is_the_exhaustive_search():
  sentences, labels = ["ab c", "xyz", "cab ax"], [0, 1, 2]
  attack = text.charmer(n=99, objective="margin", alphabet=ALPHABET)
  found = text.run(attack, ENCODER, tokenize, sentences, CLASSES, labels)
  for row, (sentence, label) in enumerate(zip(sentences, labels, strict=True)):
    if found.clean_score[row] > 0:
      assert found.texts[row] == sentence
      continue
    best = _margin(list(_once(sentence, ALPHABET)), label).max()
    assert found.score[row] == pytest.approx(best, abs=1e-6)
    assert found.edits[row] <= 1
  np.testing.assert_array_equal(found.success, found.score > 0)


def test_the_last_candidate_counts():
  """A deletion of nothing aside, the last is the last letter after the last character."""
  sentence, last = "ab", "abz"
  (anchor,) = _features([last])
  attack = text.charmer(n=99, objective="negl2", alphabet="xyz")
  found = text.run(attack, ENCODER, tokenize, [sentence], anchor[None])
  assert found.texts == [last]
  assert found.score[0] == pytest.approx(0, abs=1e-5)


def test_two_edits_are_at_most_what_an_exhaustive_search_of_two_finds():
  sentence = "ab"
  (anchor,) = _features([sentence])
  attack = text.charmer(n=99, edits=2, objective="l2", alphabet="abx")
  found = text.run(attack, ENCODER, tokenize, [sentence], anchor[None])
  once = set(_once(sentence, "abx"))
  twice = {other for one in once for other in _once(one, "abx")}
  greedy = max(once, key=lambda one: _away([one], anchor)[0])
  assert _away([greedy], anchor)[0] <= found.score[0] + 1e-5
  assert found.score[0] <= _away(sorted(twice), anchor).max() + 1e-5
  assert found.edits[0] <= 2


@pytest.mark.parametrize(
  "attack",
  [
    text.charmer(n=3, edits=2, objective="l2", alphabet=ALPHABET),
    text.leaf(rho=5, edits=2, alphabet=ALPHABET),
  ],
)
def test_a_text_fares_alike_in_any_company_and_batch(attack):
  sentences = ["ab c", "xyz", "cab ax", "b"]
  anchors = _features(sentences)
  whole = text.run(attack, ENCODER, tokenize, sentences, anchors, rows=4096)
  alone = [
    text.run(attack, ENCODER, tokenize, [one], anchor[None], rows=16)
    for one, anchor in zip(sentences, anchors, strict=True)
  ]
  assert whole.texts == [one.texts[0] for one in alone]
  assert whole.candidates.tolist() == [one.candidates[0] for one in alone]


def test_short_texts_are_encoded_at_fewer_positions(monkeypatch):
  monkeypatch.setattr(sys.modules["jaxbench.attacks.text.scoring"], "_WIDTHS", (3, 5))
  sentences = ["ab", "abcx", "abc xyz"]
  anchors, shapes = _features(sentences), set()

  def encode(weights, tokens):
    shapes.add(tokens.shape[1])
    return _encode((weights[0], weights[1][: tokens.shape[1]]), tokens)

  encoder = jax.tree_util.Partial(encode, ENCODER.args[0])
  attack = text.charmer(n=4, objective="l2", alphabet=ALPHABET)
  lengths = lambda tokens: (tokens > 0).sum(axis=1)  # noqa: E731
  found = text.run(attack, encoder, tokenize, sentences, anchors, lengths=lengths, rows=8)
  whole = text.run(attack, ENCODER, tokenize, sentences, anchors)
  assert found.texts == whole.texts
  assert shapes == {3, 5, 12}


def test_leaf_is_its_loop_with_the_same_draws():
  sentence, rho, seed = "cab ax", 4, 5
  (anchor,) = _features([sentence])
  attack = text.leaf(rho=rho, edits=2, alphabet=ALPHABET)
  found = text.run(attack, ENCODER, tokenize, [sentence], anchor[None], seed=seed)
  draw = np.random.default_rng([seed, *sentence.encode()])
  for _ in range(2):
    some = draw.choice(2 * len(sentence) + 1, rho, replace=False)
    probes = [edits.write(sentence, place, " ", deletes=True) for place in some]
    place = some[np.argmax(_away(probes, anchor))]
    letters = draw.choice(["", *ALPHABET], rho)
    tried = [edits.write(sentence, place, letter) for letter in letters]
    sentence = tried[int(np.argmax(_away(tried, anchor)))]
  assert found.texts == [sentence]
  assert found.candidates[0] <= 2 * 2 * rho


def test_candidates_of_the_same_tokens_are_scored_once():
  (anchor,) = _features(["ab"])
  one, both = (
    text.run(
      text.charmer(n=9, objective="l2", alphabet=letters), ENCODER, tokenize, ["ab"], anchor[None]
    )
    for letters in ("xy", "xyXY")
  )
  assert both.candidates[0] == one.candidates[0]
  assert both.score[0] == one.score[0]


@pytest.mark.parametrize(("objective", "sign"), [("sim", 1), ("dissim", -1)])
def test_texts_go_towards_a_target_or_away_from_it(objective, sign):
  """Whatever anchors are: all that one edit can make is compared with the target."""
  target, sentences = "zz cab", ["ab x", "cab"]
  anchor = _features([target])[0]
  attack = text.charmer(n=99, objective=objective, alphabet=ALPHABET, target=target)
  found = text.run(attack, ENCODER, tokenize, sentences, CLASSES, [0, 1])
  for sentence, became in zip(sentences, found.texts, strict=True):
    features = _features([*_once(sentence, ALPHABET), became])
    cosines = features @ anchor / np.linalg.norm(features, axis=1) / np.linalg.norm(anchor)
    assert sign * cosines[-1] == pytest.approx((sign * cosines[:-1]).max(), abs=1e-6)
  assert found.success is None


def test_an_edit_may_make_no_word_and_must_break_one(tmp_path):
  (tmp_path / "words.txt").write_text("a\nab\nabc\nx\nxy\n")
  words = text.Words.read(tmp_path / "words.txt")
  assert [words.count(one) for one in ("ab x", "AB, ab", "zz", "")] == [2, 1, 0, 0]
  assert words.allow("ab x", "zb x")
  assert not words.allow("ab x", "abc x")  # One goes, one comes.
  assert not words.allow("zb zz", "zbb zz")  # There is none to break.
  sentence = "ab x"
  (anchor,) = _features([sentence])
  for edited in (1, 2, 3):
    attack = text.charmer(n=99, edits=edited, objective="l2", alphabet=ALPHABET, words=words)
    (found,) = text.run(attack, ENCODER, tokenize, [sentence], anchor[None]).texts
    # Each edit breaks one; after two there is none left, and nothing more is allowed.
    assert words.count(found) == max(0, 2 - edited)


def test_words_are_substituted_by_those_of_a_file(tmp_path):
  (tmp_path / "list.json").write_text(json.dumps({"cab": ["xxx", "yyy"], "Ax": ["zz"]}))
  sentence = "cab ax"
  (anchor,) = _features([sentence])
  attack = text.listed(file=tmp_path / "list.json", edits=1, objective="l2")
  found = text.run(attack, ENCODER, tokenize, [sentence], anchor[None])
  tried = [sentence, "xxx ax", "yyy ax", "cab zz"]
  assert found.texts == [tried[int(np.argmax(_away(tried, anchor)))]]
  assert found.edits.tolist() == [1]


def test_wrong_input_is_told(tmp_path):
  (tmp_path / "empty.txt").write_text("")
  attack = text.charmer(n=3, objective="l2", alphabet=ALPHABET)
  broken = jax.tree_util.Partial(lambda _, tokens: jnp.full((len(tokens), 6), jnp.nan), ())
  with pytest.raises(errors.InputError, match="cut vocabulary"):
    text.run(attack, broken, tokenize, ["ab"], CLASSES)
  with pytest.raises(errors.InputError, match="2 texts, 1 labels"):
    text.run(attack, ENCODER, tokenize, ["ab", "c"], CLASSES, [0])
  with pytest.raises(errors.InputError, match="Did you mean 'dissim'"):
    text.leaf(objective="disim")
  with pytest.raises(errors.InputError, match="is of classes, and target one sentence"):
    text.charmer(target="a dog")
  with pytest.raises(errors.InputError, match="n=0 must be"):
    text.charmer(n=0)
  with pytest.raises(errors.InputError, match="holds no words"):
    text.Words.read(tmp_path / "empty.txt")
  with pytest.raises(errors.InputError, match="lists no substitutes"):
    text.listed(file=tmp_path / "empty.txt")
  (tmp_path / "list.json").write_text(json.dumps({"dog": "cat"}))
  with pytest.raises(errors.InputError, match="'cat' is no list"):
    text.listed(file=tmp_path / "list.json")
  (tmp_path / "list.json").write_text(json.dumps({"dog": ["cat", "hot dog"]}))
  with pytest.raises(errors.InputError, match="has 'hot dog' for 'dog': one word"):
    text.listed(file=tmp_path / "list.json")
