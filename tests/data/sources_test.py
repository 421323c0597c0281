"""One set of images in every form: the same ids, labels and pixels; and what is refused."""

import os
import pickle
import tarfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from references import packing

from jaxbench import data, errors

CLASSES = ("bird", "cat", "dog")


@pytest.fixture(scope="module")
def pets(tmp_path_factory):
  return packing.write_images(tmp_path_factory.mktemp("sets") / "pets", CLASSES)


PACKED = {
  "folder": lambda pets, place: data.folder(pets),
  "folder above": lambda pets, place: data.folder(pets.parent, under="pets"),
  "tar": lambda pets, place: data.folder(packing.tar(pets, place / "pets.tar", "./pets/")),
  "tar without top": lambda pets, place: data.folder(packing.tar(pets, place / "pets.tar.gz")),
  "parquet": lambda pets, place: data.parquet(packing.parquet(pets, place / "hub", CLASSES)),
  "array_record": lambda pets, place: data.tfds(
    packing.prepared(pets, place, CLASSES, "array_record"), split="test"
  ),
  "tfds parquet": lambda pets, place: data.tfds(
    packing.prepared(pets, place, CLASSES, "parquet"), split="test"
  ),
  "tfrecord": lambda pets, place: data.tfds(
    packing.prepared(pets, place, CLASSES, "tfrecord"), split="test"
  ),
}


def _everything(source):
  examples = [source[i] for i in range(len(source))]
  return {name: (e.label, e.image) for name, e in zip(source.ids, examples, strict=True)}


def _assert_same(found, expected):
  assert found.keys() == expected.keys()
  for name, (label, image) in expected.items():
    assert found[name][0] == label
    np.testing.assert_array_equal(found[name][1], image)


@pytest.mark.parametrize("form", PACKED)
def test_every_form_gives_the_same_examples_and_hash(form, pets, tmp_path):
  source = PACKED[form](pets, tmp_path)
  assert source.class_names == CLASSES
  expected = {
    f"{name}/{i}.jpg": (label, np.asarray(Image.open(pets / name / f"{i}.jpg").convert("RGB")))
    for label, name in enumerate(CLASSES)
    for i in range(3)
  }
  _assert_same(_everything(source), expected)
  assert source.sha256 == data.folder(pets).sha256
  _assert_same(_everything(pickle.loads(pickle.dumps(source))), expected)
  again = PACKED[form](pets, tmp_path / "again") if form.startswith("folder") else None
  assert again is None or again.sha256 == source.sha256  # Now from the cache.


def test_webdataset_shards_name_samples_without_suffix(pets, tmp_path):
  source = data.webdataset(packing.webdataset(pets, tmp_path / "wds", CLASSES))
  assert source.class_names == CLASSES
  expected = _everything(data.folder(pets))
  _assert_same({f"{name}.jpg": found for name, found in _everything(source).items()}, expected)
  renamed = data.webdataset(tmp_path / "wds/test", ("a", "b"), labels={"0": 1, "1": 0, "2": 1})
  assert [renamed[i].label for i in range(9)] == [int(source[i].label != 1) for i in range(9)]


def test_shards_are_read_in_the_order_of_their_numbers(pets, tmp_path):
  for shard, name in ((9, "b/1"), (10, "a/1")):
    with tarfile.open(tmp_path / f"{shard}.tar", "w") as archive:
      packing.add(archive, f"{name}.cls", b"0")
      packing.add(archive, f"{name}.jpg", (pets / "cat/0.jpg").read_bytes())
  assert data.webdataset(tmp_path, ("thing",)).ids == ["b/1", "a/1"]


def test_arrays_hash_by_id_not_by_order():
  images = np.random.default_rng(0).integers(0, 256, (4, 5, 6, 3), np.uint8)
  labels, ids = np.array([0, 1, 1, 0]), ["a", "b", "c", "d"]
  source = data.Arrays(images, labels, ("x", "y"), ids)
  turned = data.Arrays(images[::-1], labels[::-1], ("x", "y"), ids[::-1])
  assert source.sha256 == turned.sha256
  assert source.sha256 != data.Arrays(images, 1 - labels, ("x", "y"), ids).sha256
  assert source[2].label == 1
  np.testing.assert_array_equal(source[2].image, images[2])
  assert data.Arrays(images, labels, ("x", "y")).ids[3] == "000003"


@pytest.mark.parametrize(
  ("images", "labels", "ids", "message"),
  [
    (np.zeros((2, 4, 4, 3), np.float32), [0, 1], None, "must be uint8"),
    (np.zeros((2, 4, 4), np.uint8), [0, 1], None, "must be uint8"),
    (np.zeros((2, 4, 4, 3), np.uint8), [0, 2], None, "label 2 is out of range"),
    (np.zeros((2, 4, 4, 3), np.uint8), [-1, 0], None, "label -1 is out of range"),
    (np.zeros((2, 4, 4, 3), np.uint8), [0.5, 0], None, "must be integers"),
    (np.zeros((2, 4, 4, 3), np.uint8), [0], None, r"must be integers \[2\]"),
    (np.zeros((2, 4, 4, 3), np.uint8), [0, 1], ["a", "a"], "as many different ids"),
  ],
)
def test_wrong_arrays_are_one_clear_line(images, labels, ids, message):
  with pytest.raises(errors.InputError, match=message):
    data.Arrays(images, np.asarray(labels), ("x", "y"), ids)


def test_numbers_for_folder_names_are_not_sorted_as_text(tmp_path):
  packing.write_images(tmp_path / "v2", ("0", "1", "2", "10", "100"), each=1)
  assert data.folder(tmp_path / "v2").class_names == ("0", "1", "2", "10", "100")


def test_labels_and_ids_may_come_from_anywhere_in_the_path(pets):
  labels = {"cat": 0, "dog": 0, "bird": 1}
  source = data.folder(pets, ("mammal", "bird"), labels=labels, id_of=lambda name: name[::-1])
  assert {name[::-1].split("/")[0]: source[i].label for i, name in enumerate(source.ids)} == labels
  second = data.folder(
    pets,
    ("second",),
    class_of=lambda name: "second" if name.endswith("1.jpg") else None,
  )
  assert second.ids == ["bird/1.jpg", "cat/1.jpg", "dog/1.jpg"]
  assert second.class_names == ("second",)


def test_a_row_without_unique_name_is_called_by_its_number(pets, tmp_path):
  content = (pets / "cat/0.jpg").read_bytes()
  pq.write_table(
    pa.table({"picture": [content, content], "kind": ["dog", "cat"]}), tmp_path / "some.parquet"
  )
  source = data.parquet(tmp_path / "some.parquet", CLASSES, image="picture", label="kind")
  assert source.ids == ["00000000", "00000001"]
  assert [source[i].label for i in range(2)] == [2, 1]


def test_the_hash_follows_content_and_labels(pets, tmp_path):
  before = data.folder(pets)
  copy = packing.write_images(tmp_path / "copy", CLASSES)
  assert data.folder(copy).sha256 == before.sha256
  assert data.folder(copy, labels={"bird": 1, "cat": 0, "dog": 2}, class_names=CLASSES).sha256 != (
    before.sha256
  )
  Image.new("RGB", (9, 9), 7).save(copy / "cat/0.jpg")
  assert data.folder(copy).sha256 != before.sha256


@pytest.mark.parametrize(
  ("spoil", "reason"),
  [
    (lambda file: file.write_text("no image"), "is not an image"),
    (lambda file: file.write_bytes(b""), "is not an image"),
    (lambda file: file.write_bytes(file.read_bytes()[:300]), "cannot be decoded"),
    (lambda file: file.write_text("%!PS-Adobe-3.0 EPSF-3.0"), "is not an image"),
    (lambda file: Image.new("1", (20_000, 20_000)).save(file, "PNG"), "is too large"),
  ],
)
def test_a_broken_image_spoils_itself_alone(tmp_path, spoil, reason):
  copy = packing.write_images(tmp_path / "copy", CLASSES)
  spoil(copy / "cat/0.jpg")
  source = data.folder(copy)
  assert len(source.sha256) == 64
  with pytest.raises(data.BadImage, match=rf"cat/0.jpg in .*copy {reason}"):
    source[source.ids.index("cat/0.jpg")]
  assert source[source.ids.index("cat/1.jpg")].image.shape == (10, 13, 3)


def test_a_file_that_vanished_is_a_bad_image(tmp_path):
  copy = packing.write_images(tmp_path / "copy", CLASSES)
  source = data.folder(copy)
  (copy / "cat/0.jpg").unlink()
  with pytest.raises(data.BadImage, match=r"cat/0.jpg in .*No such file"):
    source[source.ids.index("cat/0.jpg")]


def test_wrong_folders_are_one_clear_line(pets, tmp_path):
  with pytest.raises(errors.InputError, match="cannot be read: No such file"):
    data.folder(tmp_path / "nowhere")
  with pytest.raises(errors.InputError, match="holds no images"):
    data.folder(tmp_path)
  wrong = r"cat/0.jpg is of the class 'cat', none of the 2 known ones .*'cats'"
  with pytest.raises(errors.InputError, match=wrong):
    data.folder(pets, ("bird", "cats"))
  with pytest.raises(errors.InputError, match=r"has the label 3, but there are 3 classes"):
    data.folder(pets, CLASSES, labels={"bird": 0, "cat": 3, "dog": 1})
  with pytest.raises(errors.InputError, match="without class_names"):
    data.folder(pets, labels={"bird": 0, "cat": 3, "dog": 1})
  with pytest.raises(errors.InputError, match="no image of these classes"):
    data.folder(pets, class_of=lambda _: None)
  with pytest.raises(errors.InputError, match=r"two images of the id '0.jpg'"):
    data.folder(pets, id_of=lambda name: name.split("/")[-1])


def test_no_permission_is_one_clear_line(pets, tmp_path, monkeypatch):
  def refuse(path):
    raise PermissionError(13, "Permission denied", str(path))

  monkeypatch.setattr(os, "scandir", refuse)
  with pytest.raises(errors.InputError, match="pets cannot be read: Permission denied"):
    data.folder(pets)


def test_links_out_of_the_set_are_refused_and_links_to_its_files_are_not(tmp_path):
  copy = packing.write_images(tmp_path / "copy", CLASSES)
  (copy / "cat/9.jpg").symlink_to(copy / "cat/0.jpg")
  assert "cat/9.jpg" in data.folder(copy).ids
  (tmp_path / "link").symlink_to(copy)
  assert data.folder(tmp_path / "link").ids == data.folder(copy).ids
  (copy / "more").symlink_to(copy / "cat")
  with pytest.raises(errors.InputError, match="a link to a folder"):
    data.folder(copy)
  (copy / "more").unlink()
  (copy / "cat/8.jpg").symlink_to("/etc/hostname")
  with pytest.raises(errors.InputError, match="a link out of the data set"):
    data.folder(copy)


@pytest.mark.parametrize("name", ["../cat/1.jpg", "/etc/1.jpg", "cat/../../1.jpg", "..\\1.jpg"])
def test_a_tar_that_leads_out_of_itself_is_refused(tmp_path, name):
  with tarfile.open(tmp_path / "evil.tar", "w") as archive:
    packing.add(archive, name, b"")
  with pytest.raises(errors.InputError, match="leads out of it"):
    data.folder(tmp_path / "evil.tar")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_a_tar_with_links_or_devices_is_refused(tmp_path, kind):
  with tarfile.open(tmp_path / "evil.tar", "w") as archive:
    member = tarfile.TarInfo("cat/1.jpg")
    member.type, member.linkname = kind, "/etc/hostname"
    archive.addfile(member)
  with pytest.raises(errors.InputError, match="is a link or device"):
    data.folder(tmp_path / "evil.tar")


@pytest.mark.parametrize("keep", [0, 100, 0.3, 0.5, 0.8])
def test_a_half_downloaded_tar_is_refused(pets, tmp_path, keep):
  path = packing.tar(pets, tmp_path / "pets.tar")
  with tarfile.open(path) as archive:
    last = archive.getmembers()[-1]
    end = last.offset_data + -(-last.size // 512) * 512
  size = int(keep * end) if isinstance(keep, float) else keep
  whole = path.read_bytes()
  path.write_bytes(whole[:size])
  with pytest.raises(errors.InputError, match="not a whole tar archive"):
    data.folder(path)
  path.write_bytes(whole[:end])  # All files are there, and the end is not.
  with pytest.raises(errors.InputError, match=r"its end is missing"):
    data.folder(path)


def test_a_compressed_tar_and_something_else_are_told_apart(pets, tmp_path):
  with tarfile.open(tmp_path / "pets.tar.gz", "w:gz") as archive:
    archive.add(pets, "pets")
  with pytest.raises(errors.InputError, match="is compressed: unpack it"):
    data.folder(tmp_path / "pets.tar.gz")
  (tmp_path / "text.tar").write_text("no tar at all" * 100)
  with pytest.raises(errors.InputError, match="not a whole tar archive"):
    data.folder(tmp_path / "text.tar")
  with pytest.raises(errors.InputError, match="holds no images under cow"):
    data.folder(packing.tar(pets, tmp_path / "pets.tar"), under="cow")


def test_wrong_shards_are_one_clear_line(pets, tmp_path):
  with pytest.raises(errors.InputError, match="holds no shards"):
    data.webdataset(tmp_path)
  packing.webdataset(pets, tmp_path / "wds", CLASSES)
  with pytest.raises(errors.InputError, match=r"none of the set's 2: 0 is 'bird', not 'a'"):
    data.webdataset(tmp_path / "wds/test", ("a", "b"))
  (tmp_path / "wds/classnames.txt").unlink()
  with pytest.raises(errors.InputError, match=r"has no classnames.txt; name the classes"):
    data.webdataset(tmp_path / "wds/test")
  with tarfile.open(tmp_path / "one.tar", "w") as archive:
    packing.add(archive, "a.jpg", b"")
  with pytest.raises(errors.InputError, match="the sample 'a' has no label"):
    data.webdataset(tmp_path / "one.tar", CLASSES)


def test_wrong_parquet_files_are_one_clear_line(pets, tmp_path):
  with pytest.raises(errors.InputError, match="holds no Parquet files"):
    data.parquet(tmp_path)
  folder = packing.parquet(pets, tmp_path / "hub", CLASSES)
  with pytest.raises(errors.InputError, match=r"unknown split of .*Did you mean 'test'"):
    data.parquet(folder, split="tests")
  with pytest.raises(errors.InputError, match=r"unknown column of .*'picture'"):
    data.parquet(folder, image="picture")
  with pytest.raises(errors.InputError, match="holds int64, not encoded images"):
    data.parquet(folder, image="label")
  with pytest.raises(errors.InputError, match=r"none of the set's 2: 0 is 'bird', not 'a'"):
    data.parquet(folder, ("a", "b"))
  first = folder / "data/test-00000-of-00002.parquet"
  first.rename(folder / "data/train-00000-of-00001.parquet")
  with pytest.raises(errors.InputError, match="several splits, name one: test, train"):
    data.parquet(folder)
  other = folder / "data/train-00000-of-00001.parquet"
  other.write_bytes(other.read_bytes()[:-50])
  with pytest.raises(errors.InputError, match="cannot be read: Parquet magic bytes"):
    data.parquet(folder, split="train")


def test_wrong_prepared_sets_are_one_clear_line(pets, tmp_path):
  with pytest.raises(errors.InputError, match="is no data set that TFDS has prepared"):
    data.tfds(tmp_path, split="test")
  folder = packing.prepared(pets, tmp_path, CLASSES, "tfrecord")
  with pytest.raises(errors.InputError, match=r"unknown split of .*'validation'"):
    data.tfds(folder, split="validation")
  with pytest.raises(errors.InputError, match=r"unknown feature of .*'picture'"):
    data.tfds(folder, split="test", image="picture")
  (records,) = folder.glob("*.tfrecord-*")
  records.write_bytes(records.read_bytes()[:-1])
  with pytest.raises(errors.InputError, match="ends within a record"):
    data.tfds(folder, split="test")
  records.unlink()
  with pytest.raises(errors.InputError, match="cannot be read: No such file"):
    data.tfds(folder, split="test")
