"""Folders in the forms of RTA-100 and SCAM, written here."""

import json

import numpy as np
import pytest
from PIL import Image

from jaxbench import data, errors


def _image(file, level, mode="RGB"):
  file.parent.mkdir(parents=True, exist_ok=True)
  Image.new(mode, (12, 8), level if mode == "L" else (level,) * len(mode)).save(file)


@pytest.fixture
def rta(tmp_path):
  _image(tmp_path / "label=dog_text=cat.png", 10, "RGBA")
  _image(tmp_path / "label=alarm clock_text=dog.png", 20, "L")
  _image(tmp_path / "label=cat_text=alarm clock.JPG", 30)
  (tmp_path / "._label=dog_text=cat.png").write_text("left by macOS")
  (tmp_path / "README.txt").write_text("")
  return tmp_path


def _scam_line(kind, number, label, word):
  name = f"{kind}_{number}"
  shared = {"file_name": f"{name}.jpg", "id": name, "type": kind, "postit_area_pct": 1.5}
  return shared | {"object_label": label, "attack_word": word}


SCENES = (("001", "clock", "taxi"), ("002", "mug", "clock"))
LINES = [_scam_line(kind, *scene) for scene in SCENES for kind in data.SCAM_TYPES]


def _write_scam(folder, lines):
  for level, line in enumerate(lines):
    _image(folder / line["file_name"], 40 * level)
  text = "\n".join(json.dumps(line) for line in lines)
  (folder / "metadata.jsonl").write_text(text + "\n")
  return folder


def test_rta_100_is_read_from_its_file_names(rta):
  source = data.rta_100(rta)
  assert source.class_names == ("alarm clock", "cat", "dog")
  assert source.ids == [
    "rta-100/label=alarm clock_text=dog",
    "rta-100/label=cat_text=alarm clock",
    "rta-100/label=dog_text=cat",
  ]
  assert [source[i].label for i in range(len(source))] == [0, 1, 2]
  assert source.targets.dtype == np.int32
  assert source.targets.tolist() == [2, 0, 1]
  assert source[0].image.shape == (8, 12, 3)
  assert [int(source[i].image[0, 0, 0]) for i in range(3)] == pytest.approx([20, 30, 10], abs=2)


def test_scams_three_kinds_have_the_same_ids_classes_and_targets(tmp_path):
  folder = _write_scam(tmp_path, LINES)
  sources = [data.scam(folder, kind) for kind in data.SCAM_TYPES]
  for source in sources:
    assert source.class_names == ("clock", "mug", "taxi")
    assert source.ids == ["scam/001", "scam/002"]
    assert [source[i].label for i in range(2)] == [0, 1]
    assert source.targets.tolist() == [2, 0]
  assert data.scam(folder).sha256 == sources[0].sha256
  assert len({int(source[0].image[0, 0, 0]) for source in sources}) == 3
  assert len({source.sha256 for source in sources}) == 3


def test_the_hash_follows_content_and_names_but_not_the_place(rta, tmp_path_factory):
  before = data.rta_100(rta).sha256
  moved = rta.rename(tmp_path_factory.mktemp("moved") / "elsewhere")
  assert data.rta_100(moved).sha256 == before
  file = moved / "label=dog_text=cat.png"
  file.rename(moved / "label=dog_text=alarm clock.png")
  renamed = data.rta_100(moved).sha256
  _image(moved / "label=dog_text=alarm clock.png", 11)
  assert len({before, renamed, data.rta_100(moved).sha256}) == 3


def test_images_reach_a_model_like_those_of_any_source(rta):
  images, labels = data.load_images(data.rta_100(rta), [2, 0], lambda image: image[:4, :4])
  assert images.shape == (2, 4, 4, 3)
  assert labels.tolist() == [2, 0]


@pytest.mark.parametrize(
  ("name", "message"),
  [
    ("dog_on_cat.png", "is not named like label=dog_text=cat.png"),
    ("label=dog_text=dog.png", "the word on it, 'dog', is its label"),
    ("label=dog_text=cat.jpg", "a second image of the id"),
  ],
)
def test_a_wrong_name_is_one_clear_line(rta, name, message):
  _image(rta / name, 0)
  with pytest.raises(errors.InputError, match=message):
    data.rta_100(rta)


def test_a_folder_of_something_else_is_one_clear_line(tmp_path):
  with pytest.raises(errors.InputError, match="holds no images named like"):
    data.rta_100(tmp_path)
  with pytest.raises(errors.InputError, match="no such folder"):
    data.rta_100(tmp_path / "nowhere")
  with pytest.raises(errors.InputError, match=r"cannot read .*metadata.jsonl"):
    data.scam(tmp_path)
  with pytest.raises(errors.InputError, match="Did you mean 'SCAM'"):
    data.scam(tmp_path, "SCAMS")


@pytest.mark.parametrize(
  ("line", "message"),
  [
    ({"type": "SCAM"}, "entry 7 has no file_name"),
    (["SCAM"], "entry 7 has no file_name"),
    (_scam_line("SCAM", "003", "mug", "mug"), "the word on it, 'mug', is its label"),
    (_scam_line("SCAM", "001", "mug", "taxi"), "a second image of the id 'scam/001'"),
  ],
)
def test_wrong_metadata_is_one_clear_line(tmp_path, line, message):
  _write_scam(tmp_path, LINES)
  with (tmp_path / "metadata.jsonl").open("a") as file:
    file.write(json.dumps(line))
  with pytest.raises(errors.InputError, match=message):
    data.scam(tmp_path)


def test_metadata_without_the_kind_and_a_broken_image_are_one_clear_line(tmp_path):
  _write_scam(tmp_path, LINES[:1])
  with pytest.raises(errors.InputError, match="lists no image of type NoSCAM"):
    data.scam(tmp_path, "NoSCAM")
  (tmp_path / "SCAM_001.jpg").write_text("no image")
  with pytest.raises(errors.InputError, match=r"SCAM_001.jpg is not an image"):
    data.scam(tmp_path)[0]
