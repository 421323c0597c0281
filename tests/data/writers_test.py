"""Sets as the usual libraries write them: the right labels, or one clear line."""

import io
import subprocess
import sys
import tarfile

import datasets
import numpy as np
import pytest
import webdataset
from datasets.table import embed_table_storage
from PIL import Image
from references import packing

from jaxbench import config, data, errors, plan
from jaxbench.data import imagenet, label_spaces

A = label_spaces.imagenet_a()
NUMBERS = [str(label) for label in range(1000)]

datasets.disable_progress_bars()


def _picture(value):
  """Of one colour, by which it is known again."""
  return Image.new("RGB", (8, 8), (value % 256, value // 256, 7))


def _value(example):
  return int(example.image[0, 0, 0]) + 256 * int(example.image[0, 0, 1])


def _folders(root, classes, each=1):
  """PNGs in a folder for each class, whose colour is 10 x the place of the class + their number."""
  for place, name in enumerate(classes):
    (root / name).mkdir(parents=True)
    for number in range(each):
      _picture(10 * place + number).save(root / name / f"{place}_{number}.png")
  return root


def _labels(source):
  """By colour."""
  return {_value(source[i]): source.labels[i] for i in range(len(source))}


def _imagefolder(root):
  """As `datasets` reads it."""
  cache = str(root.parent / "cache")
  return datasets.load_dataset("imagefolder", data_dir=str(root), split="train", cache_dir=cache)


def _push(dataset, folder, split, shards=1):
  """The files that push_to_hub uploads, with images inside and a hash in their names."""
  folder.mkdir(parents=True)
  for number in range(shards):
    shard = dataset.shard(shards, number).with_format("arrow")
    shard = shard.map(embed_table_storage, batched=True)
    name = f"{split}-{number:05d}-of-{shards:05d}-{number + 0xAB6D3D8FFC378699:016x}.parquet"
    shard.with_format(None).to_parquet(folder / name)
  return folder


def _shards(root, samples, names=None, shard=4):
  """As the webdataset library writes them."""
  root.mkdir(parents=True)
  with webdataset.ShardWriter(f"{root}/%d.tar", maxcount=shard, verbose=0) as writer:
    for sample in samples:
      writer.write(sample)
  if names is not None:
    (root.parent / "classnames.txt").write_text("\n".join(names) + "\n")
  return root


def _png(value):
  content = io.BytesIO()
  _picture(value).save(content, "PNG")
  return content.getvalue()


@pytest.mark.slow
def test_imagenet_v2_pushed_from_folders_is_mapped_by_the_numbers_in_its_names(tmp_path):
  pushed = _imagefolder(_folders(tmp_path / "v2", NUMBERS))
  assert pushed.features["label"].names[:3] == ["0", "1", "10"]  # In the order of strings.
  _push(pushed, tmp_path / "imagenetv2-matched-frequency/data", "train", shards=2)
  source = data.load("imagenetv2-matched-frequency", tmp_path)
  assert _labels(source) == {10 * label: label for label in range(1000)}
  assert source.class_names == imagenet.class_names()


def _labelled(labels, names, paths=None):
  """Rows of colour 0, 1, ... with labels among those names."""
  kind = datasets.ClassLabel(names=list(names)) if names else datasets.Value("int64")
  features = datasets.Features({"image": datasets.Image(), "label": kind})
  paths = paths or [f"{row}.png" for row in range(len(labels))]
  images = [{"bytes": _png(row), "path": path} for row, path in enumerate(paths)]
  return datasets.Dataset.from_dict({"image": images, "label": list(labels)}, features)


@pytest.mark.parametrize("called", [imagenet.wnids(), imagenet.hub_names()])
@pytest.mark.parametrize("step", [1, -1])
def test_the_hubs_names_for_imagenets_classes_are_known_in_any_order(called, step, tmp_path):
  some = [5, 900, 134, 517]
  pushed = _labelled([label if step == 1 else 999 - label for label in some], called[::step])
  _push(pushed, tmp_path / "imagenet_sketch/data", "train")
  assert _labels(data.load("imagenet-sketch", tmp_path)) == dict(enumerate(some))


def test_a_column_of_texts_is_looked_up_too(tmp_path):
  features = datasets.Features({"image": datasets.Image(), "label": datasets.Value("string")})
  images = [{"bytes": _png(row), "path": None} for row in range(2)]
  for number, texts in enumerate((["n15075141", "n01443537"], ["toilet paper", "gold_fish"])):
    place = tmp_path / str(number)
    pushed = datasets.Dataset.from_dict({"image": images, "label": texts}, features)
    _push(pushed, place / "sketch", "train")
  assert _labels(data.load("imagenet-sketch", tmp_path / "0")) == {0: 999, 1: 1}
  with pytest.raises(errors.InputError, match=r"'gold_fish', none of the 1000 .*mean 'goldfish'"):
    data.load("imagenet-sketch", tmp_path / "1")


def _numbered(labels, key="s{:07d}"):
  return [{"__key__": key.format(i), "png": _png(i), "cls": n} for i, n in enumerate(labels)]


def test_shards_in_the_order_of_imagefolder_are_mapped_by_their_list(tmp_path):
  order = sorted(NUMBERS)
  some = [0, 2, 10, 100, 999]
  _shards(tmp_path / "wds_imagenetv2/test", _numbered(map(order.index, map(str, some))), order)
  source = data.load("imagenetv2-matched-frequency", tmp_path)
  assert _labels(source) == dict(enumerate(some))
  assert source.ids == [f"s{row:07d}" for row in range(5)]


def test_numbers_without_names_are_refused_where_keys_have_other_folders(tmp_path):
  order = sorted(NUMBERS)
  rows = [(order.index(number), f"{number}/{number}a") for number in ("0", "2", "10", "100")]
  samples = [{"__key__": name, "png": _png(row), "cls": row} for row, name in rows]
  _shards(tmp_path / "wds_imagenetv2/test", samples)
  message = "images of the folder '10' have the label 2, and 3 of 4 folders are other classes"
  with pytest.raises(errors.InputError, match=message):
    data.load("imagenetv2-matched-frequency", tmp_path)
  (tmp_path / "wds_imagenetv2/classnames.txt").write_text("\n".join(order) + "\n")
  source = data.load("imagenetv2-matched-frequency", tmp_path)
  assert dict(zip(source.ids, source.labels, strict=True)) == {
    f"{number}/{number}a": number for number in (0, 2, 10, 100)
  }


def test_folders_in_ids_that_are_no_classes_are_no_evidence(tmp_path):
  samples = [{"__key__": f"{i % 2}/{i}", "png": _png(i), "cls": i % 3} for i in range(6)]
  _shards(tmp_path / "set/test", samples, ("cat", "dog", "bird"))
  assert _labels(data.load(str(tmp_path / "set"))) == {i: i % 3 for i in range(6)}


def test_a_list_of_classes_in_another_order_is_mapped_or_refused_if_a_name_is_double(tmp_path):
  names = imagenet.class_names()
  assert names[657] == names[744] == "missile"
  _shards(tmp_path / "a/wds_imagenet_sketch/test", _numbered([744, 1]), names)
  assert _labels(data.load("imagenet-sketch", tmp_path / "a")) == {0: 744, 1: 1}
  _shards(tmp_path / "b/wds_imagenet_sketch/test", _numbered([1, 998]), names[::-1])
  assert _labels(data.load("imagenet-sketch", tmp_path / "b")) == {0: 998, 1: 1}
  _shards(tmp_path / "c/wds_imagenet_sketch/test", _numbered([255]), names[::-1])
  with pytest.raises(errors.InputError, match="'missile' is the name of several classes"):
    data.load("imagenet-sketch", tmp_path / "c")


def test_names_of_another_set_are_refused_and_told(tmp_path):
  _push(_labelled([0, 1, 2], ["cat", "dog", "tench"]), tmp_path / "sketch", "train")
  message = "2 of its class names are none of the set's 1000: 0 is 'cat', not 'tench'; 1 is 'dog'"
  with pytest.raises(errors.InputError, match=message):
    data.load("imagenet-sketch", tmp_path)


def test_imagenet_a_and_r_are_read_as_the_hub_has_them(tmp_path):
  wnids = [imagenet.wnids()[label] for (label,) in A.imagenet]
  _push(_labelled([199, 0, 7], wnids), tmp_path / "imagenet-a/data", "train", shards=3)
  assert _labels(data.load("imagenet-a", tmp_path)) == {0: 199, 1: 0, 2: 7}
  space, rows = label_spaces.imagenet_r(), [150, 3]
  kinds = {
    "image": datasets.Image(),
    **dict.fromkeys(("wnid", "class_name"), datasets.Value("string")),
  }
  table = {
    "image": [{"bytes": _png(row), "path": None} for row in rows],
    "wnid": [imagenet.wnids()[space.imagenet[row][0]] for row in rows],
    "class_name": ["?", "?"],
  }
  pushed = datasets.Dataset.from_dict(table, datasets.Features(kinds))
  _push(pushed, tmp_path / "imagenet-r/test", "test")
  assert _labels(data.load("imagenet-r", tmp_path)) == {150: 150, 3: 3}


def test_the_hubs_imagenet_has_the_ids_of_the_archive(tmp_path):
  classes = {1: "n01751748", 2: "n09193705"}
  labels = [imagenet.wnids().index(wnid) for wnid in classes.values()]
  names = [f"ILSVRC2012_val_{number:08d}_{wnid}.JPEG" for number, wnid in classes.items()]
  pushed = _labelled(labels, imagenet.hub_names(), names)
  place = _push(pushed, tmp_path / "hub/imagenet-1k/data", "validation")
  with tarfile.open(tmp_path / "ILSVRC2012_img_val.tar", "w") as archive:
    for number in classes:
      packing.add(archive, f"ILSVRC2012_val_{number:08d}.JPEG", _png(number - 1))
  shards = [
    {"__key__": f"ILSVRC2012_val_{number:08d}", "png": _png(number - 1), "cls": label}
    for number, label in zip(classes, labels, strict=True)
  ]
  _shards(tmp_path / "wds/wds_imagenet1k/test", shards, imagenet.class_names())
  sources = [data.load("imagenet", tmp_path / copy) for copy in ("hub", ".", "wds")]
  for source in sources:
    assert source.ids == ["ILSVRC2012_val_00000001.JPEG", "ILSVRC2012_val_00000002.JPEG"]
    assert source.labels == labels
    assert source.sha256 == sources[0].sha256
  assert data.parquet(place, label_spaces.imagenet_1k()).sha256 == sources[0].source.sha256


@pytest.mark.parametrize("several", [False, True])
def test_what_was_saved_to_disk_is_refused_with_the_command_that_helps(several, tmp_path):
  found = _imagefolder(_folders(tmp_path / "pets", ("cat", "dog")))
  (datasets.DatasetDict({"train": found}) if several else found).save_to_disk(tmp_path / "saved")
  with pytest.raises(
    errors.InputError, match=r'by python -c "(.*)"(, of one of its splits)?$'
  ) as no:
    data.load(str(tmp_path / "saved"))
  program = str(no.value).split('"')[1].replace("SPLIT", "train")
  subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True, capture_output=True)
  source = data.load(str(tmp_path / "saved.parquet"))
  assert source.class_names == ("cat", "dog")
  assert _labels(source) == {0: 0, 10: 1}


def test_parquet_that_holds_paths_instead_of_images_is_refused(tmp_path):
  _imagefolder(_folders(tmp_path / "pets", ("cat", "dog"))).to_parquet(tmp_path / "pets.parquet")
  with pytest.raises(errors.InputError, match="holds the paths of images, not the images"):
    data.load(str(tmp_path / "pets.parquet"))


def test_a_split_that_is_not_the_set_is_refused_and_one_can_be_named(tmp_path):
  pets = _labelled([0, 1], ["cat", "dog"])
  for split in ("train", "fold2"):
    _push(pets, tmp_path / "pets" / split, split)
  message = r"several splits, fold2, train, .*name one, as .*pets\(split='fold2'\)"
  with pytest.raises(errors.InputError, match=message):
    data.load(str(tmp_path / "pets"))
  assert len(data.load(f"{tmp_path}/pets(split='train')")) == 2
  with pytest.raises(errors.InputError, match="Did you mean 'split'"):
    data.load(f"{tmp_path}/pets(splits='train')")
  _push(_labelled([0], imagenet.hub_names()), tmp_path / "imagenet-1k/data", "train")
  with pytest.raises(errors.InputError, match="the split train alone; this set is validation"):
    data.load("imagenet", tmp_path)
  _push(_labelled([-1, -1], None), tmp_path / "hidden", "test")
  with pytest.raises(errors.InputError, match="has no labels: all are -1"):
    data.load(str(tmp_path / "hidden"))


def test_columns_of_other_names_can_be_named(tmp_path):
  fine = _labelled([1, 0], ["cat", "dog"]).rename_columns({"image": "photo", "label": "fine_label"})
  _push(fine, tmp_path / "pets", "test")
  with pytest.raises(errors.InputError, match=r"no column image or img; .*image='photo'"):
    data.load(str(tmp_path / "pets"))
  with pytest.raises(errors.InputError, match="no column label or wnid; name the column"):
    data.load(f"{tmp_path}/pets(image='photo')")
  assert _labels(data.load(f"{tmp_path}/pets(image='photo', label='fine_label')")) == {0: 1, 1: 0}
  with pytest.raises(errors.InputError, match=r"is not packed: it takes under='FOLDER'"):
    data.load(f"{_folders(tmp_path / 'plain', ('a', 'b'))}(label='fine_label')")


def test_a_file_of_the_split_that_is_not_there_is_counted(tmp_path):
  _push(_labelled([0, 1, 0], ["cat", "dog"]), tmp_path / "pets", "test", shards=3)
  next((tmp_path / "pets").glob("*-00001-of-*")).unlink()
  source = data.load(str(tmp_path / "pets"))
  assert source.left_out == {"files of the split, which are not there": 1}


def test_a_split_that_was_pushed_twice_is_not_read_twice(tmp_path):
  place = _push(_labelled([0, 1], ["cat", "dog"]), tmp_path / "pets", "test")
  (file,) = place.iterdir()
  file.with_name(file.name.replace("ab6d3d8f", "ffffffff")).write_bytes(file.read_bytes())
  with pytest.raises(errors.InputError, match=r"holds a split twice, .*; keep the files of one"):
    data.load(str(tmp_path / "pets"))
  for name in ("a", "b"):
    _push(_labelled([0, 1], ["cat", "dog"]), tmp_path / "two" / name, "test")
  with pytest.raises(errors.InputError, match=r"several folders, a and b; name .*\(under='a'\)"):
    data.load(str(tmp_path / "two"))
  assert len(data.load(f"{tmp_path}/two(under='a')")) == 2


def _split_as_the_library_does(path):
  return list(webdataset.WebDataset(str(path), shardshuffle=False, empty_check=False))


def test_samples_are_those_of_the_library_and_masks_are_no_images(tmp_path):
  samples = [
    {"__key__": f"some.folder/{i}", "jpg": _png(i), "seg.png": _png(99), "CLS": b"1", "json": b"{}"}
    for i in range(3)
  ]
  _shards(tmp_path / "set/test", samples, ("cat", "dog"))
  source = data.webdataset(tmp_path / "set/test")
  library = _split_as_the_library_does(tmp_path / "set/test/0.tar")
  assert source.ids == [sample["__key__"] for sample in library]
  assert _labels(source) == {0: 1, 1: 1, 2: 1}
  assert source.left_out == {".seg.png": 3, ".json": 3}
  masks = data.load(f"{tmp_path}/set/test(image='seg.png')")
  assert [_value(masks[i]) for i in range(3)] == [99] * 3


def test_samples_that_the_first_dot_makes_one_are_refused(tmp_path):
  with tarfile.open(tmp_path / "0.tar", "w") as archive:
    for number in (1, 2, 3):
      packing.add(archive, f"0.000{number}_fox.jpg", _png(number))
      packing.add(archive, f"0.000{number}_fox.cls", b"0")
  assert len(_split_as_the_library_does(tmp_path / "0.tar")) == 1
  message = (
    "the sample '0' has no image but 0001_fox.cls, 0001_fox.jpg, .*write 0_1.jpg for 0.1.jpg"
  )
  with pytest.raises(errors.InputError, match=message):
    data.webdataset(tmp_path, ("fox", "dog"))


def test_a_sample_with_several_images_asks_which_one_it_is(tmp_path):
  samples = [{"__key__": "a", "jpg": _png(1), "webp": _png(2), "cls": 0}]
  _shards(tmp_path / "set", samples)
  with pytest.raises(errors.InputError, match="several images, jpg and webp; name one, as image='"):
    data.webdataset(tmp_path / "set", ("cat", "dog"))
  assert _labels(data.webdataset(tmp_path / "set", ("cat", "dog"), image="webp")) == {2: 0}
  with tarfile.open(tmp_path / "twice.tar", "w") as archive:
    for value in (1, 2):
      packing.add(archive, "a.png", _png(value))
  with pytest.raises(ValueError, match="duplicate file name in tar file png"):
    _split_as_the_library_does(tmp_path / "twice.tar")
  with pytest.raises(errors.InputError, match=r"the sample 'a' has two files .png"):
    data.webdataset(tmp_path / "twice.tar", ("cat", "dog"))


def test_shards_that_datasets_made_parquet_of_have_the_ids_of_the_shards(tmp_path):
  _shards(tmp_path / "set/test", _numbered([1, 0, 1], key="pets/{}"), ("cat", "dog"))
  files = [str(file) for file in sorted((tmp_path / "set/test").glob("*.tar"))]
  cache = str(tmp_path / "cache")
  found = datasets.load_dataset("webdataset", data_files=files, split="train", cache_dir=cache)
  _push(found, tmp_path / "hub/default/test", "test")
  expected = data.load(str(tmp_path / "set"))
  (tmp_path / "hub/classnames.txt").write_text("cat\ndog\n")
  source = data.load(str(tmp_path / "hub"))
  assert source.class_names == expected.class_names == ("cat", "dog")
  assert source.sha256 == expected.sha256


def test_joined_archives_are_read_to_the_end(tmp_path):
  root = _folders(tmp_path / "pets", ("cat", "dog"), each=2)
  parts = []
  for name in ("cat", "dog"):
    with tarfile.open(tmp_path / f"{name}.tar", "w") as archive:
      archive.add(root / name, f"pets/{name}")
    parts.append((tmp_path / f"{name}.tar").read_bytes())
  (tmp_path / "both.tar").write_bytes(b"".join(parts))
  assert data.load(str(tmp_path / "both.tar")).sha256 == data.load(str(root)).sha256
  (tmp_path / "both.tar").write_bytes(b"".join(parts) + b"and more" * 100)
  with pytest.raises(errors.InputError, match="is not a whole tar archive"):
    data.load(str(tmp_path / "both.tar"))


@pytest.mark.parametrize(
  ("mode", "command"), [("gz", "gunzip"), ("bz2", "bunzip2"), ("xz", "unxz")]
)
def test_a_compressed_archive_is_refused_with_the_command(mode, command, tmp_path):
  root = _folders(tmp_path / "pets", ("cat", "dog"))
  path = tmp_path / f"pets.tar.{mode}"
  with tarfile.open(path, f"w:{mode}") as archive:
    archive.add(root, "pets")
  with pytest.raises(errors.InputError, match=rf"is compressed: unpack it, by {command} -k {path}"):
    data.load(str(path))


def test_jpeg_2000_and_avif_are_decoded_and_what_is_not_is_counted(tmp_path):
  root = _folders(tmp_path / "pets", ("cat", "dog"))
  for name, options in (("a.jp2", {}), ("b.avif", {"quality": 100, "subsampling": "4:4:4"})):
    Image.new("RGB", (16, 16), (200, 100, 50)).save(root / "cat" / name, **options)
  for name in ("c.heic", "d.heic", "e.txt", ".hidden.png"):
    (root / "cat" / name).write_bytes(b"?")
  (root / "classnames.txt").write_text("cat\ndog\n")
  source = data.load(str(root))
  assert source.left_out == {".heic": 2, "hidden": 1, ".txt": 1}
  for name in ("cat/a.jp2", "cat/b.avif"):
    image = source[source.ids.index(name)].image
    np.testing.assert_allclose(image[8, 8].astype(int), (200, 100, 50), atol=3)
  assert data.shortfall(str(root), source) == "left out: 2 .heic"


def test_a_flat_folder_and_a_single_class_are_no_data_set(tmp_path):
  flat = _folders(tmp_path / "flat", ("cat",)) / "cat"
  with pytest.raises(errors.InputError, match="1 of 1 images are in no folder of a class"):
    data.load(str(flat))
  settings = config.Config(models=("digits-resnet",), data=(str(tmp_path / "flat"),))
  with pytest.raises(errors.InputError, match="has a single class, 'cat'"):
    plan.make(config.checked(settings))
  _folders(tmp_path / "inner", ("cat/images", "dog/images"))
  with pytest.raises(errors.InputError, match=r"class 'images' lie in .*move the images up"):
    data.load(str(tmp_path / "inner"))


@pytest.mark.parametrize(
  "classes", [("train/cat", "val/cat"), ("train/cat", "Test/dog"), ("train", "val")]
)
def test_splits_side_by_side_are_not_merged(classes, tmp_path):
  root = _folders(tmp_path / "pets", (*classes, "train/bird/x", "train/fish/x"))
  with pytest.raises(errors.InputError, match=r"splits.*name one, as .*pets\(under='[tT]"):
    data.load(str(root))


def test_a_split_may_be_named(tmp_path):
  root = _folders(tmp_path / "pets", ("train/cat", "train/dog", "val/cat", "val/dog"))
  source = data.load(f"{root}(under='val')")
  assert (source.ids, source.class_names) == (["cat/2_0.png", "dog/3_0.png"], ("cat", "dog"))
  assert source.sha256 == data.load(str(root / "val")).sha256


@pytest.mark.parametrize(
  ("lines", "names"),
  [
    (["House finch", "crow"], ("crow", "House finch")),  # The folders themselves.
    (["carrion crow", "house finch, a bird"], ("carrion crow", "house finch, a bird")),
    (["\ufeffcorvus", "finch"], ("corvus", "finch")),  # As Windows writes it.
    (["house_finch\tfinch", "crow\tcorvus"], ("corvus", "finch")),
    (["house finch, a bird", "carrion crow"], r"line 1 is 'house finch, a bird', but .* 'crow'"),
    (["house_finch\tfinch", "raven\tcorvus"], "has no line for the class 'crow'"),
    (["crow"], "has 1 lines, and the set 2 classes"),
  ],
)
def test_ones_own_names_are_those_of_their_folders(lines, names, tmp_path):
  root = _folders(tmp_path / "birds", ("house_finch", "crow"))
  (root / "classnames.txt").write_text("\n".join(lines) + "\n")
  if isinstance(names, str):
    with pytest.raises(errors.InputError, match=names):
      data.load(str(root))
  else:
    source = data.load(str(root))
    assert source.class_names == names
    assert _labels(source) == {0: 1, 10: 0}


def test_names_of_wnids_are_imagenets_in_any_order_of_the_list(tmp_path):
  wnids = [imagenet.wnids()[label] for label in (0, 5, 7)]
  root = _folders(tmp_path / "fish", wnids)
  names = tuple(imagenet.class_names()[label] for label in (0, 5, 7))
  for lines in (wnids[::-1], [imagenet.synset_names()[label] for label in (5, 0, 7)], names[::-1]):
    (root / "classnames.txt").write_text("\n".join(lines) + "\n")
    assert data.load(str(root)).class_names == names
