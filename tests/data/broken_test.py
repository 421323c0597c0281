"""Whatever byte of whatever file is damaged: one clear line, or images that are bad alone."""

import pathlib
import random
import shutil

import pytest
from references import packing

from jaxbench import data, errors

CLASSES = ("bird", "cat", "dog")
TRIALS = 15
FORMS = {
  "folder": (lambda pets, place: shutil.copytree(pets, place), data.folder),
  "tar": (lambda pets, place: packing.tar(pets, place.with_suffix(".tar")), data.folder),
  "webdataset": (
    lambda pets, place: packing.webdataset(pets, place, CLASSES).parent,
    lambda path: data.webdataset(path / "test"),
  ),
  "parquet": (lambda pets, place: packing.parquet(pets, place, CLASSES), data.parquet),
  **{
    name: (
      lambda pets, place, name=name: packing.prepared(pets, place, CLASSES, name),
      lambda path: data.tfds(path, split="test"),
    )
    for name in ("tfrecord", "array_record")
  },
  "tfds parquet": (
    lambda pets, place: packing.prepared(pets, place, CLASSES, "parquet"),
    lambda path: data.tfds(path, split="test"),
  ),
}


def _damage(path: pathlib.Path, draw: random.Random) -> None:
  files = sorted(file for file in path.rglob("*") if file.is_file()) or [path]
  file = draw.choice(files)
  content = bytearray(file.read_bytes())
  if draw.random() < 0.4:
    del content[draw.randrange(len(content)) :]
  else:
    for _ in range(draw.randrange(1, 6)):
      content[draw.randrange(len(content))] = draw.randrange(256)
  file.write_bytes(content)


@pytest.mark.filterwarnings("ignore")  # Libraries may warn of what they still could read.
@pytest.mark.parametrize("form", FORMS)
def test_damage_is_one_clear_line_or_spoils_single_images(form, tmp_path, monkeypatch):
  monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
  write, load = FORMS[form]
  whole = write(packing.write_images(tmp_path / "pets", CLASSES), tmp_path / "whole")
  draw, told = random.Random(1), 0
  for trial in range(TRIALS):
    damaged = tmp_path / f"{trial}{whole.suffix if whole.is_file() else ''}"
    (shutil.copytree if whole.is_dir() else shutil.copy)(whole, damaged)
    _damage(damaged, draw)
    try:
      source = load(damaged)
    except errors.InputError as error:
      assert "\n" not in str(error)
      assert str(damaged) in str(error)
      told += 1
      continue
    assert len(source.sha256) == 64
    for index in range(len(source)):
      try:
        assert source[index].image.shape[2] == 3
      except data.BadImage as error:
        assert "\n" not in str(error)
        told += 1
  assert told > 0
