"""Probes in every form in which they are published."""

import json

import numpy as np
import pytest
from PIL import Image
from references import probes

from jaxbench import data, errors


@pytest.fixture
def folder(tmp_path):
  return str(probes.images(tmp_path / "images"))


def _cases(probe):
  texts = probe.space.captions
  return {
    name: [texts[place] for place in options]
    for name, options in zip(probe.ids, probe.space.options, strict=True)
  }


def test_sugarcrepe_is_a_folder_or_one_of_its_files(tmp_path, folder):
  root = probes.sugarcrepe(tmp_path / "sugarcrepe")
  whole = data.load(f"{root}(images={folder!r})")
  assert _cases(whole)["swap_obj/2"] == [
    "swap_obj: a dog above a cat",
    "swap_obj: a cat above a dog",
  ]
  assert len(whole) == 5
  assert not whole.space.ties_are_right
  part = data.load(f"{root}/add_att.json(images={folder!r})")
  assert list(_cases(part)) == ["add_att/0", "add_att/1", "add_att/2"]
  assert set(whole.labels) == {0}
  assert whole.label_space.class_names == whole.class_names


def test_aro_shows_what_is_in_the_box(tmp_path, folder):
  file = probes.aro(tmp_path / "vg_relation.json")
  probe = data.load(f"{file}(images={folder!r})")
  assert _cases(probe)["left of/0"] == ["the cat is on 0", "0 is on the cat"]
  whole = data.load(f"{probes.sugarcrepe(tmp_path / 'other')}(images={folder!r})")
  np.testing.assert_array_equal(probe[0].image, whole[0].image[3:12, 2:10])
  assert not probe.space.ties_are_right


@pytest.mark.parametrize(
  "box", [(2, 3, 8, 9), (-2, -1, 8, 9), (20, 19, 9, 8), (-1, 2, 30, 5), (1.5, 2.5, 7.2, 6.6)]
)
def test_a_box_is_cut_out_as_by_pillow(box, tmp_path, folder):
  """With which the authors cut: black where it leaves the image, its corners rounded."""
  file = probes.aro(tmp_path / "vg_relation.json")
  cases = [
    case | {f"bbox_{side}": value for side, value in zip("xywh", box, strict=True)}
    for case in json.loads(file.read_text())
  ]
  file.write_text(json.dumps(cases))
  found = data.probe(file, images=folder)[1].image
  x, y, width, height = box
  whole = Image.open(f"{folder}/{probes.IMAGES[1]}")
  np.testing.assert_array_equal(found, whole.crop((x, y, x + width, y + height)))


def test_winoground_is_an_example_for_each_image(tmp_path, folder):
  probe = data.probe(probes.winoground(tmp_path / "examples.jsonl"), images=folder)
  found = _cases(probe)
  assert list(found) == ["0/image_0", "0/image_1", "1/image_0", "1/image_1"]
  assert found["1/image_1"] == ["the man bites the dog 1", "the dog bites the man 1"]


def test_options_of_ones_own_count_ties_as_said(tmp_path, folder):
  file = probes.shuffled(tmp_path / "order.json")
  probe = data.probe(file, images=folder)
  assert probe.space.ties_are_right
  assert len(probe.space.captions) == 4  # The same sentence is one.
  assert probe.space.options[0] == (0, 1, 2, 0, 3)
  strict = data.probe(file, images=folder, ties="wrong")
  assert not strict.space.ties_are_right
  assert strict.sha256 != probe.sha256
  with pytest.raises(errors.InputError, match="ties"):
    data.probe(file, images=folder, ties="maybe")


def test_what_is_no_probe_is_refused(tmp_path, folder):
  root = probes.sugarcrepe(tmp_path / "sugarcrepe")
  probes.shuffled(root / "order.json")
  with pytest.raises(errors.InputError, match="several probes"):
    data.probe(root, images=folder)
  (tmp_path / "x.json").write_text(json.dumps([{"image": "a1.jpg", "options": ["a", "b"]}, {}]))
  with pytest.raises(errors.InputError, match="no probe as they are published"):
    data.probe(tmp_path / "x.json", images=folder)
  odd = [{"image": "a1.jpg", "options": ["a", "b"]}, {"image": "a1.jpg", "options": ["a"] * 3}]
  (tmp_path / "x.json").write_text(json.dumps(odd))
  with pytest.raises(errors.InputError, match=r"2 options, and others 3"):
    data.probe(tmp_path / "x.json", images=folder)
  (tmp_path / "x.json").write_text(json.dumps([{"image": "lost.jpg", "options": ["a", "b"]}]))
  with pytest.raises(errors.InputError, match=r"lost\.jpg"):
    data.load(f"{tmp_path / 'x.json'}(images={folder!r})")
