"""Decoded images on the disk: the same pixels from there, whatever happened to the files."""

import json
import pathlib
import shutil

import numpy as np
import pytest
from references import packing

from jaxbench import data, errors, models
from jaxbench.blocks import cache

CLASSES = ("bird", "cat", "dog")
PREPROCESS = models.Preprocess(8, 9)
BATCHES = [[5, 2, 8, 0], [1], [7, 3, 6, 4]]


@pytest.fixture(scope="module")
def pets(tmp_path_factory):
  """Nine images, one of which is broken."""
  root = packing.write_images(tmp_path_factory.mktemp("sets") / "pets", CLASSES)
  (root / "dog/2.jpg").write_bytes((root / "dog/2.jpg").read_bytes()[:200])
  return root


@pytest.fixture(autouse=True)
def environment(tmp_path, monkeypatch):
  monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))


class _Counted:
  """A source that knows what it had to decode."""

  def __init__(self, source):
    self._source, self.decoded = source, []
    self.class_names, self.ids, self.labels = source.class_names, source.ids, source.labels
    self.image_hashes = source.image_hashes

  def __len__(self):
    return len(self.ids)

  def __getitem__(self, index):
    self.decoded.append(index)
    return self._source[index]


def _check(pets, folder, preprocess=PREPROCESS, batches=BATCHES):
  """Streams through the cache, compares with the stream without, returns what was decoded."""
  source = _Counted(data.folder(pets))
  found = list(cache.stream(source, batches, preprocess, folder))
  _equal(found, list(data.stream(data.folder(pets), batches, preprocess)))
  return sorted(source.decoded)


def _equal(found, expected):
  for one, other in zip(found, expected, strict=True):
    np.testing.assert_array_equal(one.images, other.images)
    np.testing.assert_array_equal(one.labels, other.labels)
    np.testing.assert_array_equal(one.readable, other.readable)
    assert one.errors == other.errors


def _files(folder, suffix):
  return sorted(pathlib.Path(folder).rglob(f"*{suffix}"))


def test_each_image_is_decoded_once_and_larger_samples_add_to_smaller_ones(pets, tmp_path, capsys):
  assert _check(pets, tmp_path / "cache", batches=BATCHES[:1]) == [0, 2, 5, 8]
  (place,) = (tmp_path / "cache").iterdir()
  told = f"jaxbench: 4 decoded images, about 768B, go to {place}\n"
  assert capsys.readouterr().err == told
  # The broken one, 8, is tried every time: its file may be mended.
  assert _check(pets, tmp_path / "cache") == [1, 3, 4, 6, 7, 8]
  assert len(_files(place, ".array_record")) == 2
  capsys.readouterr()
  assert _check(pets, tmp_path / "cache") == [8]
  assert capsys.readouterr().err == ""
  assert len(_files(place, ".array_record")) == 2


def test_a_repacked_set_finds_the_images_and_another_preprocessing_does_not(pets, tmp_path):
  _check(pets, tmp_path / "cache")
  packed = packing.tar(pets, tmp_path / "pets.tar", "pets/")
  assert _check(packed, tmp_path / "cache", batches=[[0, 1, 2]]) == []
  assert _check(pets, tmp_path / "cache", models.Preprocess(8), [[0, 1]]) == [0, 1]
  assert _check(pets, tmp_path / "cache", models.Preprocess(8), [[0, 1]]) == []
  assert len(list((tmp_path / "cache").iterdir())) == 2


def test_an_image_that_has_changed_is_decoded_anew_and_the_others_are_not(pets, tmp_path):
  changed = tmp_path / "pets"
  shutil.copytree(pets, changed)
  _check(changed, tmp_path / "cache")
  shutil.copy(changed / "cat/0.jpg", changed / "bird/1.jpg")
  assert _check(changed, tmp_path / "cache") == [1, 8]
  assert _check(changed, tmp_path / "cache") == _check(pets, tmp_path / "cache") == [8]


@pytest.mark.slow
def test_a_worker_process_reads_the_cache(pets, tmp_path):
  batches = [[0, 1, 2], [3, 4, 5]]
  _check(pets, tmp_path / "cache", batches=batches)
  expected = list(data.stream(data.folder(pets), batches, PREPROCESS))
  source = _Undecodable(data.folder(pets))
  _equal(list(cache.stream(source, batches, PREPROCESS, tmp_path / "cache", workers=1)), expected)


class _Undecodable(_Counted):
  def __getitem__(self, index):
    raise AssertionError(f"{index} is decoded")


def test_a_damaged_record_is_decoded_anew_and_told(pets, tmp_path, capsys):
  _check(pets, tmp_path / "cache")
  (file,) = _files(tmp_path / "cache", ".array_record")
  source, content = data.folder(pets), bytearray(file.read_bytes())
  content[content.index(PREPROCESS(source[3].image).tobytes()) + 5] ^= 1
  file.write_bytes(content)
  capsys.readouterr()
  assert _check(pets, tmp_path / "cache") == [3, 8]
  (line,) = capsys.readouterr().err.splitlines()
  assert line.startswith(f"jaxbench: {source.ids[3]!r} is damaged in {file}: decoded anew")


def test_pixels_must_have_the_checksum_of_the_index(pets, tmp_path, capsys):
  _check(pets, tmp_path / "cache")
  (file,) = _files(tmp_path / "cache", ".json")
  index = json.loads(file.read_text())
  for name in ("ids", "sha256"):
    index[name] = index[name][1:] + index[name][:1]
  file.write_text(json.dumps(index))
  assert _check(pets, tmp_path / "cache") == list(range(9))
  assert capsys.readouterr().err.count("another checksum") == 8


@pytest.mark.parametrize("suffix", [".array_record", ".json"])
def test_a_truncated_part_is_told_and_made_anew(pets, tmp_path, capsys, suffix):
  _check(pets, tmp_path / "cache")
  (file,) = _files(tmp_path / "cache", suffix)
  file.write_bytes(file.read_bytes()[:90])
  capsys.readouterr()
  assert _check(pets, tmp_path / "cache") == list(range(9))
  assert "0.json is of no use" in capsys.readouterr().err
  assert _check(pets, tmp_path / "cache") == [8]


def test_a_killed_writer_leaves_nothing_that_is_read(pets, tmp_path, monkeypatch):
  rename, stages = pathlib.Path.rename, []

  def snapshot():
    stages.append(tmp_path / f"killed{len(stages)}")
    shutil.copytree(tmp_path / "cache", stages[-1])

  def watched(path, target):
    snapshot()
    return rename(path, target)

  monkeypatch.setattr(pathlib.Path, "rename", watched)
  running = cache.stream(data.folder(pets), BATCHES, PREPROCESS, tmp_path / "cache")
  next(running)
  snapshot()
  list(running)
  monkeypatch.undo()
  assert len(stages) == 3  # While it writes, before the first renaming, before the second.
  for stage in stages:
    assert _check(pets, stage) == list(range(9))
    assert _check(pets, stage) == [8]


def test_an_interrupted_run_keeps_what_it_has_decoded(pets, tmp_path):
  running = cache.stream(data.folder(pets), BATCHES, PREPROCESS, tmp_path / "cache")
  next(running)
  running.close()
  assert _check(pets, tmp_path / "cache") == [1, 3, 4, 6, 7, 8]


def test_of_two_runs_at_once_one_writes(pets, tmp_path, capsys):
  first = cache.stream(data.folder(pets), BATCHES, PREPROCESS, tmp_path / "cache")
  next(first)
  capsys.readouterr()
  assert _check(pets, tmp_path / "cache") == list(range(9))
  assert "another run fills" in capsys.readouterr().err
  list(first)
  assert len(_files(tmp_path / "cache", ".array_record")) == 1
  assert _check(pets, tmp_path / "cache") == [8]


def test_a_full_disk_or_a_bad_folder_is_one_clear_line(pets, tmp_path, monkeypatch):
  (tmp_path / "file").touch()
  with pytest.raises(errors.InputError, match=r"--cache=.*file cannot be used: "):
    _check(pets, tmp_path / "file")
  with pytest.raises(errors.InputError, match="name a local one"):
    _check(pets, "gs://bucket/cache")
  usage = shutil.disk_usage(tmp_path)._replace(free=1000)
  monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
  with pytest.raises(errors.InputError, match=r"about 1\.73kB, and its disk has 1\.00kB"):
    _check(pets, tmp_path / "cache")
  assert _files(tmp_path / "cache", "new") == []
