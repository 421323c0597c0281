"""ImageNet-Hard as the hub has it: Parquet with a list of labels for each image."""

import datasets
import numpy as np
import pytest
from references import zero_shot

from jaxbench import data, errors

LABELS = ([3, 17], [999], [0, 5, 9])


def _written(root, feature, labels):
  """By the library itself, under the names of the hub."""
  images = [{"bytes": zero_shot.image(row), "path": f"{row}.png"} for row in range(len(labels))]
  features = datasets.Features({"image": datasets.Image(), "label": feature})
  made = datasets.Dataset.from_dict({"image": images, "label": labels}, features=features)
  (root / "imagenet-hard/data").mkdir(parents=True)
  for number in range(2):
    name = f"validation-{number:05d}-of-00002-0123456789abcdef.parquet"
    made.shard(2, number, contiguous=True).to_parquet(root / "imagenet-hard/data" / name)


@pytest.mark.parametrize("plain", [False, True], ids=["sequence", "list"])
def test_all_labels_of_an_image_are_right(tmp_path, plain):
  value = datasets.Value("int64")
  _written(tmp_path, [value] if plain else datasets.Sequence(value), list(LABELS))
  source = data.load("imagenet-hard", tmp_path)
  assert source.ids == ["0.png", "1.png", "2.png"]
  assert source.labels == [3, 999, 0]
  assert data.columns(source, range(3))["labels"] == [[3, 17], None, [0, 5, 9]]
  assert np.unique(source[2].image) == [2]
  assert source.label_space.imagenet[17] == (17,)
  assert data.shortfall("imagenet-hard", source).startswith("it has 3 images of the 10,980")


@pytest.mark.parametrize(
  ("feature", "labels", "message"),
  [
    (datasets.Value("int64"), [3, 999, 0], "no list of labels"),
    (datasets.Sequence(datasets.Value("int64")), [[3], [1000], [2]], r"the labels \[1000\]"),
    (datasets.Sequence(datasets.Value("int64")), [[3], [], [2]], r"the labels \[\]"),
  ],
)
def test_labels_that_are_none_of_its_are_refused(tmp_path, feature, labels, message):
  _written(tmp_path, feature, labels)
  with pytest.raises(errors.InputError, match=message):
    data.load("imagenet-hard", tmp_path)
