"""Sets whose images have several right answers: all of them are known, the first is the label."""

import io

import numpy as np
import pytest
import webdataset
from references import zero_shot

from jaxbench import data, errors

NAME = "voc2007_multilabel"


def test_voc_knows_every_class_of_which_there_is_an_object(tmp_path):
  expected = zero_shot.voc2007_multilabel(tmp_path)
  source = data.load(NAME, tmp_path)
  assert dict(zip(source.ids, source.right, strict=True)) == expected
  for index, label in enumerate(source.labels):
    assert np.unique(source[index].image) == [label]
  columns = data.columns(source, [2, 1])
  assert columns == {"labels": [[0, 14], None]}
  assert data.has_several_labels(source)
  assert source.label_space.scored


def test_the_hash_of_a_set_changes_with_what_is_right(tmp_path):
  zero_shot.voc2007_multilabel(tmp_path)
  before = data.load(NAME, tmp_path)
  file = tmp_path / "VOCdevkit/VOC2007/Annotations/000001.xml"
  file.write_text(file.read_text().replace("tvmonitor", "train"))
  after = data.load(NAME, tmp_path)
  assert after.labels == before.labels
  assert after.sha256 != before.sha256
  assert after.sha256_of([1]) == before.sha256_of([1])
  assert after.sha256_of([0]) != before.sha256_of([0])


def test_the_hubs_arrays_are_read(tmp_path):
  zero_shot.hub(tmp_path, NAME, f"wds_{NAME}/test")
  source = data.load(NAME, tmp_path)
  assert source.right == [[0, 1], [1], [1], [0, 1]]
  assert source.shards == [0, 0, 1, 1]


@pytest.mark.parametrize(
  ("label", "message"),
  [
    (np.ones(19), "no 0 or 1 for each of 20 classes"),
    (np.arange(20), "no 0 or 1 for each of 20 classes"),
    (np.zeros(20), r"has the labels \[\], which are not some of 20 classes"),
  ],
)
def test_arrays_that_are_no_classes_are_refused(tmp_path, label, message):
  top = tmp_path / f"wds_{NAME}/test"
  top.mkdir(parents=True)
  with webdataset.TarWriter(str(top / "0.tar")) as writer:
    writer.write({"__key__": "s0000000", "npy": label, "webp": zero_shot.image(1, ".webp")})
  with pytest.raises(errors.InputError, match=message):
    data.load(NAME, tmp_path)


def test_a_pickle_for_an_array_is_refused(tmp_path):
  top = tmp_path / f"wds_{NAME}/test"
  top.mkdir(parents=True)
  content = io.BytesIO()
  np.save(content, np.array([object()]), allow_pickle=True)
  with webdataset.TarWriter(str(top / "0.tar"), encoder=False) as writer:
    writer.write(
      {
        "__key__": "s0000000",
        "npy": content.getvalue(),
        "webp": zero_shot.image(1, ".webp"),
      }
    )
  with pytest.raises(errors.InputError, match=r"s0000000\.npy cannot be read"):
    data.load(NAME, tmp_path)
