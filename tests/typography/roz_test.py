import collections
import gzip
import hashlib
import json

import numpy as np
import pytest

from jaxbench import errors, models, tables, typography

NAMES = models.imagenet_class_names()


def test_rozs_words_are_the_309_synsets_of_one_word():
  words = json.loads(tables.path("imagenet1k_synset_words.json").read_text())
  ids = sorted(map(int, words))
  md5 = hashlib.md5(",".join(map(str, ids)).encode()).hexdigest()
  assert md5 == "987579755983fae899c3f3efe675d674"
  assert not any({",", " "} & set(word) for word in words.values())
  assert sum(NAMES[int(one)].lower() != word.lower() for one, word in words.items()) == 51
  written = typography.imagenet_t().words
  assert len(written.spelling) == 309
  assert written.text("mountain") == "alp"


@pytest.mark.slow
def test_rozs_imagenet_record_is_kept_to_and_its_gaps_are_filled():
  words = typography.imagenet_t().words
  ids = [f"imagenet/ILSVRC2012_val_{i:08d}.JPEG" for i in range(1, 50_001)]
  recorded = [words.recorded(example) for example in ids]
  uses = collections.Counter(name for name in recorded if name)
  assert (sum(uses.values()), recorded.count(None)) == (49_727, 273)
  assert (len(uses), min(uses.values()), max(uses.values())) == (309, 127, 206)
  assert words.recorded("ILSVRC2012_val_00000000") is None
  assert words.recorded("ILSVRC2012_val_00050001") is None
  # Nothing is written for tench, the label that all get here.
  targets = words.choose(ids, np.zeros(50_000, int), NAMES)
  assert targets[:4].tolist() == [404, 396, 448, 903]
  for target, name in zip(targets, recorded, strict=True):
    assert NAMES[target] == name if name else NAMES[target] in words.spelling


@pytest.mark.parametrize("label", [134, 517])
def test_a_crane_is_not_written_on_a_crane(label):
  ids = [f"ILSVRC2012_val_{i:08d}" for i in range(1, 3001)]
  words = typography.imagenet_t().words
  recorded = [words.recorded(example) for example in ids]
  assert {NAMES[134], NAMES[517]} <= set(recorded)
  assert not np.isin(words.choose(ids, np.full(3000, label), NAMES), (134, 517)).any()


def test_rozs_words_serve_data_sets_with_some_of_the_classes():
  some = [NAMES[i] for i in (0, 6, 7, 134, 517, 970)]
  words = typography.imagenet_t().words
  targets = words.choose([f"{i}" for i in range(300)], np.arange(300) % 6, some)
  assert set(targets.tolist()) == {1, 2, 3, 5}
  with pytest.raises(errors.InputError, match="cannot write 'stingray'"):
    words.choose(["0"], [0], ("one", "two"))


def test_rozs_cifar10_record_is_kept_to():
  content = gzip.decompress(tables.path("roz_cifar10_t_words.json.gz").read_bytes())
  labels, written = np.array(json.loads(content)["cifar10_test"]).T
  assert len(labels) == 10_000
  assert (labels != written).all()
  uses = np.bincount(written)
  assert (len(uses), uses.min(), uses.max()) == (10, 947, 1053)
  ids = [f"cifar10/test/{i:05d}" for i in range(10_000)]
  names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
  targets = typography.cifar10_t().words.choose(ids, labels, names)
  np.testing.assert_array_equal(targets, written)


def test_rozs_layouts_have_room_for_all_copies():
  imagenet, cifar = typography.imagenet_t(), typography.cifar10_t()
  assert (imagenet.original, cifar.original) == (True, False)
  for word in imagenet.words.spelling.values():
    assert len(typography.boxes((375, 500), word, imagenet.layout, 0)) == 8
  capital = typography.boxes((375, 500), "H", imagenet.layout, 0)[0]
  assert capital.bottom - capital.top == 17
  for name in cifar.words.spelling:
    assert len(typography.boxes((224, 224), name, cifar.layout, 0)) == 4
