"""Sets in their archives' layouts: labels by what the pixels say."""

import shutil

import h5py
import numpy as np
import pytest
from references import zero_shot

from jaxbench import data, errors
from jaxbench.data.zero_shot import table


@pytest.mark.parametrize(
  ("name", "write"),
  [*zero_shot.ARCHIVES.items(), *zero_shot.OTHER_FORMS],
  ids=lambda value: getattr(value, "__name__", value),
)
def test_every_image_has_the_label_that_it_was_drawn_for(tmp_path, name, write):
  some, count = write(tmp_path)
  source = data.load(name, tmp_path)
  assert len(source) == count
  assert set(some) <= set(source.ids)
  for index, label in enumerate(source.labels):
    image, again = source[index]
    assert again == label
    assert np.unique(image) == [label % 256]
  assert data.shortfall(name, source).startswith(f"it has {count:,} images of the")
  assert len(source.sha256) == 64


def test_all_archives_that_are_read_are_written_here():
  read = {row.name for row in table.ROWS if row.read is not None}
  # Below, and in several_test.py.
  alike = {"eurosat", "eurosat-all", "resisc45", "pcam", "voc2007_multilabel"}
  coop = {name for name in read if name.endswith("-coop")} | {"ucf101"}
  assert read - coop - alike == set(zero_shot.ARCHIVES) - {"eurosat-coop"}


def test_a_list_whose_images_are_not_all_there_is_refused(tmp_path):
  zero_shot.dtd(tmp_path)
  (tmp_path / "dtd/images/banded/banded_3.jpg").unlink()
  with pytest.raises(errors.InputError, match="1 of the 4 images that its list has are not there"):
    data.load("dtd", tmp_path)


def test_a_class_that_the_set_has_not_is_refused(tmp_path):
  zero_shot.pets(tmp_path)
  shutil.copy(
    tmp_path / "oxford-iiit-pet/images/Sphynx_12.jpg",
    tmp_path / "oxford-iiit-pet/images/hamster_1.jpg",
  )
  listing = tmp_path / "oxford-iiit-pet/annotations/test.txt"
  listing.write_text(listing.read_text() + "\nhamster_1 38 1 1")
  with pytest.raises(errors.InputError, match="class 'hamster', none of the 37"):
    data.load("pets", tmp_path)


def test_coops_names_and_labels_are_those_of_its_file(tmp_path):
  zero_shot.coop(tmp_path)
  source = data.load("eurosat-coop", tmp_path)
  assert source.class_names == ("Annual Crop Land", "Forest")
  (own,) = source.label_space.prompts
  assert own.source == "coop"
  assert own.templates == ("a centered satellite photo of {}.",)


def test_both_classes_of_faces_are_persons(tmp_path):
  zero_shot.caltech101_all(tmp_path)
  names = data.load("caltech101-all", tmp_path).class_names
  assert names[36:38] == ("person", "person")


def test_pcam_in_hdf5_or_the_way_to_it(tmp_path):
  (tmp_path / "pcam").mkdir()
  labels = np.array([1, 0, 1], np.uint8)
  stem = tmp_path / "pcam/camelyonpatch_level_2_split_test"
  with h5py.File(f"{stem}_x.h5", "w") as file:
    file["x"] = np.tile(labels[:, None, None, None], (1, 96, 96, 3))
  with h5py.File(f"{stem}_y.h5", "w") as file:
    file["y"] = labels[:, None, None, None]
  source = data.load("pcam", tmp_path)
  assert source.labels == [1, 0, 1]
  assert np.unique(source[0].image) == [1]


@pytest.mark.parametrize(
  ("name", "file", "content"),
  [
    ("fgvc_aircraft", "fgvc-aircraft-2013b/data/images_variant_test.txt", "0000001"),
    ("gtsrb", "gtsrb/GT-final_test.csv", "Name,Class\n1,2"),
    ("tinyimagenet", "tiny-imagenet-200/wnids.txt", "n00000000"),
    ("clevr_count_all", "CLEVR_v1.0/scenes/CLEVR_val_scenes.json", '{"scenes": [{}]}'),
    ("eurosat-coop", "eurosat/split_zhou_EuroSAT.json", "[]"),
  ],
)
def test_a_list_in_another_form_is_one_line(tmp_path, name, file, content):
  zero_shot.ARCHIVES[name](tmp_path)
  (tmp_path / file).write_text(content)
  with pytest.raises(errors.InputError, match=f"is not as {name} is published: .*Error") as raised:
    data.load(name, tmp_path)
  assert "\n" not in str(raised.value)


def test_a_folder_that_holds_nothing_of_the_set_is_one_line(tmp_path):
  (tmp_path / "wds_vtab-dmlab/test").mkdir(parents=True)
  with pytest.raises(errors.InputError, match="neither shards nor what TFDS has prepared"):
    data.load("dmlab", tmp_path)
