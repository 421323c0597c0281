import numpy as np
import pytest

from jaxbench import data, errors


def test_splits_are_stratified_disjoint_and_complete():
  test, train = data.Digits("test"), data.Digits("train")
  assert (len(test), len(train)) == (360, 1437)
  assert not set(test.ids) & set(train.ids)
  labels = [test[i].label for i in range(len(test))]
  assert np.bincount(labels).tolist() == [36] * 10


def test_scans_are_8_bit_and_keep_their_17_levels():
  image, label = data.Digits("train")[0]
  assert image.dtype == np.uint8
  assert image.shape == (8, 8, 3)
  levels = {round(level * 255 / 16) for level in range(17)}
  assert set(np.unique(image).tolist()) <= levels
  assert image.max() > 200
  assert label in range(10)


def test_canonical_order_does_not_depend_on_the_order_of_the_source():
  ids = [f"n{i:05d}" for i in range(500)]
  shuffled = np.random.default_rng(0).permutation(ids).tolist()
  first = [ids[i] for i in data.canonical_order(ids)]
  assert first == [shuffled[i] for i in data.canonical_order(shuffled)]
  assert first != ids


def test_canonical_order_of_a_part_is_a_part_of_the_order():
  ids = [f"n{i:05d}" for i in range(100)]
  whole = [ids[i] for i in data.canonical_order(ids)]
  part = [ids[:50][i] for i in data.canonical_order(ids[:50])]
  assert part == [name for name in whole if name in ids[:50]]


def test_images_come_in_the_order_that_was_asked_for():
  source = data.Digits()
  indices = [5, 3, 300, 0]
  images, labels = data.load_images(source, indices, lambda image: image)
  for index, image, label in zip(indices, images, labels, strict=True):
    np.testing.assert_array_equal(image, source[index].image)
    assert label == source[index].label


def test_an_unknown_data_set_is_an_error_with_the_nearest_match():
  with pytest.raises(errors.InputError, match="Did you mean 'digits'"):
    data.load("digit")
