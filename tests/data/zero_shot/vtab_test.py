"""VTAB's parts of EuroSAT and RESISC45 by names alone, against what TFDS and the hub have."""

import hashlib

import pytest
from references import zero_shot

from jaxbench import data, errors
from jaxbench.data.zero_shot import vtab

EUROSAT = {
  "AnnualCrop": 3000,
  "Forest": 3000,
  "HerbaceousVegetation": 3000,
  "Highway": 2500,
  "Industrial": 2500,
  "Pasture": 2000,
  "PermanentCrop": 2500,
  "Residential": 3000,
  "River": 2500,
  "SeaLake": 3000,
}


def test_eurosats_test_images_are_tfdss():
  names = [f"{kind}/{kind}_{n}.jpg" for kind, count in EUROSAT.items() for n in range(1, count + 1)]
  tested = vtab.last_fifth(names)
  assert len(tested) == 5400
  assert tested[:2] == ["Pasture/Pasture_1875.jpg", "Residential/Residential_150.jpg"]
  assert tested[-1] == "PermanentCrop/PermanentCrop_632.jpg"
  digest = hashlib.sha256("\n".join(sorted(tested)).encode()).hexdigest()
  assert digest == "0599bfb50db84c76ca524c42490ab4818ab9517fcde1d0120b541cdd8d3ece94"


def test_a_part_of_the_folder_does_not_tell_which_images_are_tested(tmp_path):
  for kind, label in (("AnnualCrop", 0), ("Forest", 1)):
    zero_shot.write(tmp_path / f"eurosat/2750/{kind}/{kind}_1.jpg", zero_shot.image(label))
  with pytest.raises(errors.InputError, match=r"2 images .* follows from all 27,000"):
    data.load("eurosat", tmp_path)
  whole = data.load("eurosat-all", tmp_path)
  assert whole.labels == [0, 1]
  assert whole.class_names[0] == "annual crop land"
