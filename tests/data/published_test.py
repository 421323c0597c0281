"""Published sets by name, on a disk like a person's."""

import collections
import shutil
import tarfile

import numpy as np
import pytest
from PIL import Image
from references import packing, world

from jaxbench import data, errors, models
from jaxbench.data import __main__ as command
from jaxbench.data import imagenet, label_spaces

PREPROCESS = models.Preprocess(32)


def _logits(images):
  """Of a linear model that was never trained."""
  weights = np.random.default_rng(1).normal(size=(48, 1000))
  rows = images.reshape(len(images), 4, 8, 4, 8, 3).mean(axis=(2, 4)).reshape(len(images), -1)
  return (rows - rows.mean(axis=1, keepdims=True)) @ weights / 50


@pytest.fixture(scope="module")
def some():
  return world.Photographs(_logits, PREPROCESS)


@pytest.fixture(scope="module")
def made(some, tmp_path_factory):
  """The root of the sets, and what the model should score on each."""
  root = tmp_path_factory.mktemp("world")
  return root, world.write(root, some)


def _answers(source):
  """Of the model in the set's own classes, and the labels."""
  images, labels = data.load_images(source, range(len(source)), PREPROCESS)
  logits, space = _logits(images), source.label_space
  if space.pool == "mean":
    logits = np.exp(logits - logits.max())
  pool = {"max": np.max, "mean": np.mean}[space.pool]
  nothing = np.full(len(logits), -np.inf)
  pooled = [pool(logits[:, list(g)], axis=1) if g else nothing for g in space.imagenet]
  return np.argmax(pooled, axis=0), labels


PRESENT = [
  name
  for name in data.CATALOG
  if name.startswith(("imagenet", "objectnet", "ytbb", "stylized", "cue"))
  and not name.startswith(("imagenet-c/", "imagenet-p/", "imagenetv2-t"))
  # No labels of its own, and several an image: outliers_test.py and imagenet_hard_test.py.
  and name not in ("imagenet-o", "imagenet-hard")
]


@pytest.mark.parametrize("name", [*PRESENT, "imagenet-c/fog/3"])
def test_each_set_gives_the_accuracy_that_it_was_written_for(name, made):
  root, expected = made
  source = data.load(name, root)
  answers, labels = _answers(source)
  assert len(set(source.ids)) == len(source) > 0
  found = np.mean(answers == labels)
  if source.frames is not None:
    anchors = [row for row, frame in enumerate(source.frames) if frame.offset == 0]
    found = np.mean([answers[row] in source.frames[row].labels for row in anchors])
  assert found == pytest.approx(expected[name.removesuffix("-own-names")])
  assert 0 < found <= 1


def test_objectnet_has_lost_its_border_and_its_other_classes(made, some):
  root, _ = made
  source = data.load("objectnet", root)
  files = sorted((root / "objectnet-1.0/images").rglob("*.png"))
  assert len(source) == len(files) - 1
  for index, name in enumerate(source.ids):
    stored = np.asarray(Image.open(root / "objectnet-1.0/images" / name))
    assert (stored[:2] == [255, 0, 0]).all()
    np.testing.assert_array_equal(source[index].image, stored[2:-2, 2:-2])
  assert source.sha256 != source.source.sha256
  assert source.label_space.prompted != data.load("objectnet-own-names", root).label_space.prompted


def test_validation_images_are_known_by_number_folder_and_archive(made, tmp_path):
  root, _ = made
  flat = data.load("imagenet", root)
  with tarfile.open(tmp_path / "ILSVRC2012_img_val.tar", "w") as archive:
    for file in sorted((root / "imagenet/val").iterdir()):
      archive.add(file, file.name)
  for name, label in zip(flat.ids, flat.labels, strict=True):
    folder = tmp_path / "imagenet/val" / imagenet.wnids()[label]
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(root / "imagenet/val" / name, folder)
  by_folder = data.load("imagenet", tmp_path)
  assert by_folder.sha256 == flat.sha256
  shutil.rmtree(tmp_path / "imagenet")
  packed = data.load("imagenet", tmp_path)
  assert set(flat.ids) == set(by_folder.ids) == set(packed.ids)
  assert flat.sha256 == packed.sha256
  (tmp_path / "imagenet/val").mkdir(parents=True)
  shutil.copy(root / "imagenet/val" / flat.ids[0], tmp_path / "imagenet/val/me.JPEG")
  with pytest.raises(errors.InputError, match=r"me.JPEG is not in the folder of a wnid"):
    data.load("imagenet", tmp_path)


def test_a_packed_set_is_the_same_set(made, tmp_path):
  root, _ = made
  space = label_spaces.imagenet_a()
  wnids = tuple(imagenet.wnids()[label] for (label,) in space.imagenet)
  folder = root / "imagenet-a"
  expected = data.load("imagenet-a", root).sha256
  packing.tar(folder, tmp_path / "imagenet-a.tar", "imagenet-a/")
  assert data.load("imagenet-a", tmp_path).sha256 == expected
  (tmp_path / "imagenet-a.tar").unlink()
  packing.parquet(folder, tmp_path / "hub", wnids)
  (tmp_path / "hub/data").rename(tmp_path / "imagenet-a.parquet")
  assert data.load("imagenet-a", tmp_path).sha256 == expected
  shutil.rmtree(tmp_path / "imagenet-a.parquet")
  made = packing.prepared(folder, tmp_path / "tfds", imagenet.wnids(), "array_record")
  (tmp_path / "imagenet_a/0.9.0").mkdir(parents=True)
  made.rename(tmp_path / "imagenet_a/0.10.0")  # The newest. There labels are those of ImageNet.
  assert data.load("imagenet-a", tmp_path).sha256 == expected


def test_imagenet_v2_has_numbers_for_folders_in_numerical_order(made, tmp_path, some):
  for number in (0, 1, 2, 10, 100):
    file = tmp_path / f"imagenetv2-top-images-format-val/{number}/a.jpeg"
    file.parent.mkdir(parents=True)
    file.write_bytes(some.contents[0])
  source = data.load("imagenetv2-top-images", tmp_path)
  assert dict(zip(source.ids, source.labels, strict=True)) == {
    f"{number}/a.jpeg": number for number in (0, 1, 2, 10, 100)
  }


def test_frames_know_their_anchor_and_labels(made):
  root, _ = made
  source = data.load("imagenet-vid-robust", root)
  assert data.has_several_labels(source)
  anchors = {frame.anchor for frame in source.frames}
  assert anchors <= set(source.ids)
  assert len(anchors) == 4
  for name, frame in zip(source.ids, source.frames, strict=True):
    number, anchor = (int(one.split("/")[1].split(".")[0]) for one in (name, frame.anchor))
    assert frame.offset == number - anchor
    assert abs(frame.offset) <= 10
  assert not any("999999" in name for name in source.ids)


def test_reviews_decide_which_neighbours_count(made, tmp_path):
  root, _ = made
  source = data.load("ytbb-robust", root)
  sets = collections.Counter(frame.anchor for frame in source.frames)
  assert sorted(sets.values()) == [1, 3, 3]
  folder = tmp_path / "ytbb-robust"
  shutil.copytree(root / "imagenet_vid_ytbb_robust/ytbb-robust", folder)
  (folder / "metadata/pmk_labels.json").write_text("{}")
  with pytest.raises(errors.InputError, match=r"is not the pmk_labels.json"):
    data.load("ytbb-robust", tmp_path)
  (folder / "metadata/pmk_labels.json").unlink()
  unreviewed = data.load("ytbb-robust", tmp_path)
  assert [frame.offset for frame in unreviewed.frames] == [0] * 4
  assert set(unreviewed.ids) > sets.keys()


@pytest.mark.parametrize("lost", ["anchor", "neighbour"])
def test_a_video_with_a_frame_missing_is_refused(lost, made, tmp_path):
  root, _ = made
  shutil.copytree(root / "imagenet_vid_ytbb_robust", tmp_path / "imagenet_vid_ytbb_robust")
  source = data.load("imagenet-vid-robust", tmp_path)
  frame = next(f for f in source.frames if f.offset)
  name = frame.anchor if lost == "anchor" else source.ids[source.frames.index(frame)]
  next(tmp_path.rglob(name)).unlink()
  with pytest.raises(errors.InputError, match=f"lacks the frame val/{name}; copy it again"):
    data.load("imagenet-vid-robust", tmp_path)


def test_a_sample_of_videos_is_whole(made):
  root, _ = made
  source = data.load("imagenet-vid-robust", root)
  two, three = (data.sample(source, limit) for limit in (2, 3))
  assert three[: len(two)] == two
  chosen = {source.frames[index].anchor for index in two}
  assert len(chosen) == 2
  assert len(two) == sum(frame.anchor in chosen for frame in source.frames)
  assert sorted(data.sample(source, 0)) == list(range(len(source)))
  half = data.sample(source, 0, "every(k=2)")
  anchors = sorted({frame.anchor for frame in source.frames})
  assert {source.frames[index].anchor for index in half} == set(anchors[::2])
  digits = data.Digits()
  assert data.sample(digits, 5) == data.canonical_order(digits.ids)[:5]


def test_cue_conflict_has_a_texture_beside_the_shape(made, tmp_path):
  root, _ = made
  source = data.load("cue-conflict", root)
  for name, label, target in zip(source.ids, source.labels, source.targets, strict=True):
    shape, texture = (part.rstrip("0123456789") for part in name.split("/")[1][:-4].split("-"))
    assert source.class_names[label] == shape
    assert target == (None if texture == shape else source.class_names.index(texture))
  file = tmp_path / "cue-conflict/cat/dog1-cat2.png"
  file.parent.mkdir(parents=True)
  shutil.copy(next((root / "cue-conflict").rglob("*.png")), file)
  with pytest.raises(errors.InputError, match=r"dog1-cat2.png is not named like"):
    data.load("cue-conflict", tmp_path)


@pytest.mark.parametrize(
  ("name", "folder", "labels"),
  [("cifar10", "cifar-10-batches-bin", 1), ("cifar100", "cifar-100-binary", 2)],
)
def test_cifar_is_read_record_by_record(name, folder, labels, tmp_path):
  draw = np.random.default_rng(0)
  images = draw.integers(0, 256, (4, 32, 32, 3), np.uint8)
  kinds = draw.integers(0, 5, (4, labels), np.uint8)
  (tmp_path / folder).mkdir()
  content = b"".join(
    bytes(kind) + b"".join(image[..., channel].tobytes() for channel in range(3))
    for image, kind in zip(images, kinds, strict=True)
  )
  file = tmp_path / folder / ("test_batch.bin" if labels == 1 else "test.bin")
  file.write_bytes(content)
  names = tmp_path / folder / ("batches.meta.txt" if labels == 1 else "fine_label_names.txt")
  names.write_text("apple\naquarium_fish\nbaby\nbear\nbeaver\n\n")
  source = data.load(name, tmp_path)
  assert source.class_names[1] == "aquarium fish"
  assert source.ids[3] == "test_00003"
  assert source.labels == kinds[:, -1].tolist()
  np.testing.assert_array_equal([source[i].image for i in range(4)], images)
  file.write_bytes(content[:-1])
  with pytest.raises(errors.InputError, match="is truncated"):
    data.load(name, tmp_path)


def test_stl10_stands_upright(tmp_path):
  image = np.random.default_rng(0).integers(0, 256, (96, 96, 3), np.uint8)
  folder = tmp_path / "stl10_binary"
  folder.mkdir()
  by_column = [image[row, column, c] for c in range(3) for column in range(96) for row in range(96)]
  (folder / "test_X.bin").write_bytes(bytes(by_column))
  (folder / "test_y.bin").write_bytes(bytes([2]))
  (folder / "class_names.txt").write_text("airplane\nbird\n")
  source = data.load("stl10", tmp_path)
  assert source.labels == [1]
  np.testing.assert_array_equal(source[0].image, image)
  (folder / "test_y.bin").unlink()
  with pytest.raises(errors.InputError, match=r"test_y.bin cannot be read: No such file"):
    data.load("stl10", tmp_path)


def test_the_wrong_set_in_a_folder_is_noticed(made, tmp_path):
  root, _ = made
  (tmp_path / "imagenet-a").symlink_to(root / "imagenet-r")
  with pytest.raises(errors.InputError, match=r"none of the 200 known ones.*is this the data set"):
    data.load("imagenet-a", tmp_path)


def test_what_is_not_there_is_named_with_the_way_to_get_it(tmp_path, monkeypatch):
  monkeypatch.delenv("JAXBENCH_DATA", raising=False)
  with pytest.raises(errors.InputError, match=r"set --config.data_root or JAXBENCH_DATA"):
    data.load("imagenet-r")
  monkeypatch.setenv("JAXBENCH_DATA", str(tmp_path))
  with pytest.raises(errors.InputError, match=r"as imagenet-r or .*; get it from https://"):
    data.load("imagenet-r")
  with pytest.raises(errors.InputError, match="Did you mean 'imagenet-r'"):
    data.load("imagenet_r")


def test_ones_own_folder_has_its_names_from_a_list(some, tmp_path):
  for name in ("house_finch", "crow"):
    (tmp_path / "birds" / name).mkdir(parents=True)
    (tmp_path / "birds" / name / "1.jpg").write_bytes(some.contents[0])
  source = data.load(str(tmp_path / "birds"))
  assert source.class_names == ("crow", "house finch")
  assert source.label_space.imagenet is None
  (tmp_path / "birds/classnames.txt").write_text("carrion crow\nhouse finch, a bird\n")
  assert data.load(str(tmp_path / "birds")).class_names == ("carrion crow", "house finch, a bird")
  packing.tar(tmp_path / "birds", tmp_path / "birds.tar")
  (tmp_path / "classnames.txt").write_text("corvus\nfinch\n")
  packed = data.load(str(tmp_path / "birds.tar"))
  assert packed.class_names == ("corvus", "finch")
  assert sorted(packed.ids) == ["crow/1.jpg", "house_finch/1.jpg"]
  (tmp_path / "birds/classnames.txt").write_text("crow\n")
  with pytest.raises(errors.InputError, match=r"has 1 lines, and .* 2 classes"):
    data.load(str(tmp_path / "birds"))


def test_ones_own_folder_of_wnids_is_a_part_of_imagenet(made):
  root, _ = made
  source = data.load(str(root / "imagenet-r"))
  published = data.load("imagenet-r", root)
  names = [published.class_names[label] for label in published.labels]
  assert [source.class_names[label] for label in source.labels] == names
  assert len(source.class_names) == 3
  assert source.label_space.supervised_groups(1000) == source.label_space.imagenet


def test_check_counts_what_is_there(made, tmp_path, capsys):
  root, _ = made
  assert command.main(["check", str(root)]) == 1  # Nothing is whole.
  lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
  counted = len(list((root / "imagenet-a").rglob("*.jpg")))
  assert f"imagenet-a: {counted} images of 7,500" in lines["imagenet-a"]
  assert "absent" in lines["imagenetv2-top-images"]
  assert "imagenet-c/weather/fog/3: " in lines["imagenet-c/fog/3"]
  assert "images of 50,000" in lines["imagenet-c/fog/3"]
  (tmp_path / "empty").mkdir()
  assert command.main(["check", str(tmp_path / "empty")]) == 0
  assert len(capsys.readouterr().out.splitlines()) == len(lines) - 94
  assert command.main(["check", str(tmp_path / "nowhere")]) == 2
  assert command.main(["list"]) == 2
  assert "is not a folder" in capsys.readouterr().err


def test_check_tells_of_a_set_that_cannot_be_read(tmp_path, capsys):
  (tmp_path / "imagenet-a.tar").write_bytes(b"half a download")
  assert command.main(["check", str(tmp_path)]) == 1
  assert "is not a whole tar archive" in capsys.readouterr().out
