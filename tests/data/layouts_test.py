"""Published sets as they were published: what is read, and what is named as a near miss."""

import io
import tarfile

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image
from references import packing

from jaxbench import data, errors
from jaxbench.data import __main__ as command
from jaxbench.data import imagenet, label_spaces

FIRST = ("n01751748", "n09193705", "n02105855")  # Of the validation images 1, 2 and 3.
LABELS = [imagenet.wnids().index(wnid) for wnid in FIRST]
NAMES = [f"ILSVRC2012_val_{number:08d}.JPEG" for number in (1, 2, 3)]


def _jpeg(value, size=32):
  content = io.BytesIO()
  Image.new("RGB", (size, size), (value, 0, 0)).save(content, "JPEG", quality=100)
  return content.getvalue()


def _write(file, content):
  file.parent.mkdir(parents=True, exist_ok=True)
  file.write_bytes(content)


def _kaggle(root, classes=FIRST):
  for row, name in enumerate(NAMES):
    _write(root / "ILSVRC/Data/CLS-LOC/val" / name, _jpeg(row))
  table = ["ImageId,PredictionString"]
  table += [f"{name[:-5]},{wnid} 1 2 3 4 " for name, wnid in zip(NAMES, classes, strict=True)]
  (root / "LOC_val_solution.csv").write_text("\n".join(table) + "\n")


def test_kaggles_flat_folder_is_the_validation_set(tmp_path):
  _kaggle(tmp_path)
  source = data.load("imagenet", tmp_path)
  assert (source.ids, source.labels) == (NAMES, LABELS)
  for name in NAMES:  # Another copy of the same.
    file = tmp_path / "ILSVRC/Data/CLS-LOC/val" / name
    file.rename(file.with_name(f"{file.stem}.png"))
  assert data.load("imagenet", tmp_path).ids == NAMES
  for file in (tmp_path / "ILSVRC/Data/CLS-LOC/val").iterdir():
    file.unlink()
  _kaggle(tmp_path, (*FIRST[:2], "n01440764"))
  message = "ILSVRC2012_val_00000003 is of the class 'n01440764' there, but not in ImageNet's"
  with pytest.raises(errors.InputError, match=message):
    data.load("imagenet", tmp_path)


@pytest.mark.parametrize("packed", [False, True])
def test_imagenet_c_is_read_from_its_archives(packed, tmp_path):
  for severity in (1, 2):
    for row, (name, wnid) in enumerate(zip(NAMES, FIRST, strict=True)):
      file = tmp_path / "imagenet-c" / f"gaussian_noise/{severity}/{wnid}/{name}"
      _write(file, _jpeg(100 * severity + row))
  if packed:
    with tarfile.open(tmp_path / "imagenet-c/noise.tar", "w") as archive:
      archive.add(tmp_path / "imagenet-c/gaussian_noise", "gaussian_noise")
    (tmp_path / "imagenet-c/gaussian_noise").rename(tmp_path / "unpacked")
  for severity in (1, 2):
    source = data.load(f"imagenet-c/gaussian_noise/{severity}", tmp_path)
    assert dict(zip(source.ids, source.labels, strict=True)) == dict(
      zip(NAMES, LABELS, strict=True)
    )
    shown = [int(source[source.ids.index(name)].image[0, 0, 0]) for name in NAMES]
    np.testing.assert_allclose(shown, [100 * severity + row for row in range(3)], atol=2)
    folder = tmp_path / ("unpacked" if packed else "imagenet-c/gaussian_noise") / str(severity)
    loose = data.folder(folder, label_spaces.imagenet_1k(), id_of=lambda name: name.split("/")[1])
    assert source.source.sha256 == loose.sha256
  if packed:
    with pytest.raises(errors.InputError, match="holds no images under shot_noise/3"):
      data.load("imagenet-c/shot_noise/3", tmp_path)


class Imagenet2012Corrupted(tfds.core.GeneratorBasedBuilder):
  """As TFDS's own builder of the name describes its examples."""

  VERSION = tfds.core.Version("3.1.0")
  BUILDER_CONFIGS = (tfds.core.BuilderConfig(name="fog_3"),)

  def _info(self) -> tfds.core.DatasetInfo:
    features = {
      "image": tfds.features.Image(),
      "label": tfds.features.ClassLabel(names=imagenet.wnids()),
      "file_name": tfds.features.Text(),
    }
    return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

  def _split_generators(self, _):
    return {"validation": self._generate_examples()}

  def _generate_examples(self):
    for row, (name, wnid) in enumerate(zip(NAMES, FIRST, strict=True)):
      yield name, {"image": io.BytesIO(_jpeg(row)), "label": wnid, "file_name": name}


def test_tfds_corrupted_imagenet_has_the_ids_of_the_clean_one(tmp_path):
  Imagenet2012Corrupted(data_dir=tmp_path, file_format="array_record").download_and_prepare()
  source = data.load("tfds-imagenet-c/fog/3", tmp_path)
  assert dict(zip(source.ids, source.labels, strict=True)) == dict(zip(NAMES, LABELS, strict=True))
  own = data.load(str(tmp_path / "imagenet2012_corrupted/fog_3/3.1.0"))
  assert own.label_space.imagenet == tuple((label,) for label in range(1000))
  with pytest.raises(errors.InputError, match=r"holds what TFDS has prepared; name .*fog_3/3.1.0"):
    data.load(str(tmp_path / "imagenet2012_corrupted"))


def test_tfds_classes_without_names_are_numbers_and_map_by_value(tmp_path):
  class Numbers(tfds.core.GeneratorBasedBuilder):
    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
      label = tfds.features.ClassLabel(num_classes=1000)
      features = tfds.features.FeaturesDict({"image": tfds.features.Image(), "label": label})
      return tfds.core.DatasetInfo(builder=self, features=features)

    def _split_generators(self, _):
      return {"test": self._generate_examples()}

    def _generate_examples(self):
      for row, label in enumerate((6, 988)):
        yield str(row), {"image": io.BytesIO(_jpeg(200 * row)), "label": label}

  builder = Numbers(data_dir=tmp_path, file_format="array_record")
  builder.download_and_prepare()
  made = tmp_path / "imagenet_a/0.1.0"
  made.parent.mkdir()
  builder.data_path.rename(made)
  source = data.load("imagenet-a", tmp_path)  # Its classes are ImageNet's 6, 11, ..., 988.
  shown = [source.labels[row] for row in np.argsort([source[i].image[0, 0, 0] for i in range(2)])]
  assert shown == [0, 199]


def test_clip_benchmarks_objectnet_has_the_border_too(tmp_path):
  space = label_spaces.objectnet()
  picture = Image.new("RGB", (14, 14), (255, 0, 0))
  picture.paste((0, 9, 9), (2, 2, 12, 12))
  content = io.BytesIO()
  picture.save(content, "PNG")
  names = [name.title() for name in space.class_names]
  for name, classes in (("wds_objectnet", names), ("wds_objectnet_test", names[::-1])):
    root = tmp_path / name
    (root / "test").mkdir(parents=True)
    (root / "classnames.txt").write_text("\n".join(classes) + "\n")
    with tarfile.open(root / "test/0.tar", "w") as archive:
      for row, label in enumerate((112, 5)):
        packing.add(archive, f"s{row:07d}.cls", str(classes.index(names[label])).encode())
        packing.add(archive, f"s{row:07d}.png", content.getvalue())
    (root / "test/nshards.txt").write_text("2")
    source = data.load("objectnet", tmp_path)
    assert source.labels == [112, 5]
    assert (source[0].image == (0, 9, 9)).all()
    assert source.left_out == {"shards of the split, which are not there": 1}
    root.rename(tmp_path / f"old_{name}")


@pytest.mark.parametrize("classes", [10, 100])
def test_cifar_c_is_five_severities_in_a_row_with_the_ids_of_the_clean_images(classes, tmp_path):
  draw = np.random.default_rng(0)
  images = draw.integers(0, 256, (20, 32, 32, 3), np.uint8)
  labels = np.tile(draw.integers(0, classes, 4).astype(np.uint8), 5)
  root = tmp_path / f"CIFAR-{classes}-C"
  root.mkdir()
  np.save(root / "fog.npy", images)
  np.save(root / "labels.npy", labels)
  source = data.load(f"cifar{classes}-c/fog/3", tmp_path)
  assert source.ids == [f"test_{row:05d}" for row in range(4)]
  assert source.labels == labels[:4].tolist()
  np.testing.assert_array_equal([source[row].image for row in range(4)], images[8:12])
  assert (len(source.class_names), source.class_names[1]) == (
    classes,
    {10: "automobile", 100: "aquarium fish"}[classes],
  )
  np.save(root / "labels.npy", labels[:4])
  with pytest.raises(errors.InputError, match=r"20 images, not five severities, with 4 labels"):
    data.load(f"cifar{classes}-c/fog/3", tmp_path)
  np.save(root / "fog.npy", np.array([None]), allow_pickle=True)
  with pytest.raises(errors.InputError, match=r"fog.npy is not a whole .npy file of numbers"):
    data.load(f"cifar{classes}-c/fog/3", tmp_path)


def test_tiny_imagenet_c_has_the_names_of_its_wnids(tmp_path):
  wnids = [imagenet.wnids()[label] for label in (1, 998, 40)]
  for wnid in wnids:
    _write(tmp_path / f"Tiny-ImageNet-C/fog/3/{wnid}/test_1.JPEG", _jpeg(1, 64))
  source = data.load("tiny-imagenet-c/fog/3", tmp_path)
  known = dict(zip(source.ids, source.labels, strict=True))
  names = {name: source.class_names[label] for name, label in known.items()}
  expected = {wnid: imagenet.class_names()[imagenet.wnids().index(wnid)] for wnid in wnids}
  assert names == {f"{wnid}/test_1.JPEG": name for wnid, name in expected.items()}
  assert source.label_space.supervised_groups(1000) == ((1,), (40,), (998,))


def test_near_misses_are_named_with_what_to_do(tmp_path, capsys):
  _write(tmp_path / "imagenetv2-matched-frequency.tar.gz", b"\x1f\x8b")
  _write(tmp_path / "objectnet-1.0.zip", b"PK")
  _write(tmp_path / "noise.tar", b"")
  _write(tmp_path / "cifar-10-batches-py/test_batch", b"")
  _write(tmp_path / "downloads/imagenet-r/n01443537/art_1.jpg", _jpeg(0))
  _write(tmp_path / "imagenet/train/n01443537/1.JPEG", _jpeg(0))
  near = {
    "imagenetv2-matched-frequency": "imagenetv2-matched-frequency.tar.gz is there, .*: tar -xf ",
    "objectnet": "objectnet-1.0.zip is there, packed: unzip ",
    "cifar10": "cifar-10-batches-py is a form that is not read; get it from https://",
    "imagenet-c": "noise.tar is there, packed: tar -xf ",
    "imagenet-r": f"one folder deeper: name {tmp_path / 'downloads'}",
    "imagenet": "imagenet has train, and no val; that is at https://image-net.org",
  }
  assert command.main(["check", str(tmp_path)]) == 1
  lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
  for name, message in near.items():
    asked = "imagenet-c/gaussian_noise/1" if name == "imagenet-c" else name
    with pytest.raises(errors.InputError, match=message) as refused:
      data.load(asked, tmp_path)
    assert str(refused.value).partition("; ")[2] in lines[name]
  assert "https://" in lines["imagenet-a"]


def test_check_counts_what_was_left_out(tmp_path, capsys):
  wnid = imagenet.wnids()[label_spaces.imagenet_a().imagenet[0][0]]
  _write(tmp_path / f"imagenet-a/{wnid}/1.jpg", _jpeg(0))
  _write(tmp_path / f"imagenet-a/{wnid}/2.heic", b"?")
  _write(tmp_path / "imagenet-a/README.txt", b"?")
  command.main(["check", str(tmp_path)])
  assert "1 images of 7,500; left out: 1 .txt, 1 .heic" in capsys.readouterr().out
