"""Sets that TFDS has prepared: parts of splits, and classes by name in whatever order."""

import shutil

import pytest
import tensorflow_datasets
from references import packing

from jaxbench import data, errors
from jaxbench.data.zero_shot import spaces

CLASSES = ("bird", "cat", "dog")


@pytest.mark.parametrize("file_format", ["array_record", "parquet", "tfrecord"])
def test_a_part_of_a_split_is_what_tfds_gives(tmp_path, file_format):
  pets = packing.write_images(tmp_path / "pets", CLASSES)
  folder = packing.prepared(pets, tmp_path, CLASSES, file_format)
  whole = data.tfds(folder, split="test")
  for written, part in (
    ("test[4:]", slice(4, None)),
    ("test[2:5]", slice(2, 5)),
    ("test[60%:]", slice(5, None)),  # 5.4 of 9.
    ("test[:33%]", slice(0, 3)),
  ):
    some = data.tfds(folder, split=written)
    assert some.ids == whole.ids[part]
    assert some.labels == whole.labels[part]
    assert (some[0].image == whole[whole.ids.index(some.ids[0])].image).all()
    described = tensorflow_datasets.builder_from_directory(folder).info.splits[written]
    assert described.num_examples == len(some)
  with pytest.raises(errors.InputError, match=r"test\[7:99\] is no part of its 9 examples"):
    data.tfds(folder, split="test[7:99]")
  with pytest.raises(errors.InputError, match=r"split of .* 'train'"):
    data.tfds(folder, split="train[5:]")


def test_a_set_of_the_table_in_another_order_of_classes(tmp_path):
  names = spaces.folders("dtd")
  shuffled = tuple(reversed(names))
  images = packing.write_images(tmp_path / "images", (names[3], names[40]))
  folder = packing.prepared(images, tmp_path / "made", shuffled, "array_record")
  shutil.move(folder, tmp_path / "dtd/3.0.1")
  source = data.load("dtd", tmp_path)
  assert source.class_names == names
  assert {name.split("/")[0] for name in source.ids} == {names[3], names[40]}
  for name, label in zip(source.ids, source.labels, strict=True):
    assert names[label] == name.split("/")[0]
