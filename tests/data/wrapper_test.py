"""Whatever a source says of itself, it says inside of any other, and anyone's own may say less."""

import pickle

import numpy as np
import pytest
from references import packing

from jaxbench import config, data, models, plan
from jaxbench.blocks import cache
from jaxbench.blocks.cache.source import Kept
from jaxbench.data import wrapper
from jaxbench.plan.perturbations import typography as written

CLASSES = ("bird", "cat", "dog")
SPACE = data.LabelSpace(CLASSES, ((10,), (281,), (207,)))
PREPROCESS = models.Preprocess(8)
MEMBERS = {  # All that `Source` declares: whoever declares more adds it here.
  *("class_names", "ids", "labels", "sha256", "label_space", "targets", "frames", "right"),
  "image_size",
  *("groups", "left_out", "sha256_of", "image_hashes", "shards", "direction"),
}
WRAPPERS = {
  "plain": data.Wrapper,
  "cached": lambda source: Kept(source, PREPROCESS, {}),
  "edited": lambda source: written._Edited(source, lambda index, image: image),
}


def test_members_are_all_that_a_source_declares():
  assert set(wrapper.MEMBERS) == MEMBERS


@pytest.fixture
def videos(tmp_path, monkeypatch):
  """Three videos of three frames each, with second classes, and a file that is none of them."""
  monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
  root = packing.write_images(tmp_path / "pets", CLASSES)
  (root / "cat/notes.heic").write_bytes(b"no image")
  source = data.folder(root)
  return data.Annotated(
    source,
    SPACE,
    targets=[None, 2, 0] * 3,
    frames=[
      data.Frame(source.ids[row - row % 3], row % 3, (label, 0))
      for row, label in enumerate(source.labels)
    ],
  )


@pytest.mark.parametrize("name", WRAPPERS)
def test_a_wrapper_says_what_the_source_inside_says(videos, name):
  outer = WRAPPERS[name](WRAPPERS[name](videos))
  assert {member for member in MEMBERS if getattr(outer, member) != getattr(videos, member)} <= (
    {"image_size"} if name == "cached" else set()
  )
  assert (outer.frames, outer.targets, outer.label_space) == (
    *(videos.frames, videos.targets),
    SPACE,
  )
  assert outer.left_out == {".heic": 1}
  assert data.has_several_labels(outer)
  assert data.columns(outer, [0, 4]) == data.columns(videos, [0, 4])
  assert data.sample(outer, 2) == data.sample(videos, 2)
  assert data.hash_content(outer, [0, 4]) == data.hash_content(videos, [0, 4])
  assert len(outer) == len(videos) == 9


def test_what_a_wrapper_changes_is_what_the_next_one_says(videos):
  class Renamed(data.Wrapper):
    targets = (None,) * 9

  outer = data.Wrapper(Renamed(videos))
  assert outer.targets == Renamed.targets
  assert outer.frames == videos.frames


def test_a_process_that_reads_has_all_members(videos):
  outer = pickle.loads(pickle.dumps(data.Wrapper(videos)))
  assert (outer.frames, outer.targets) == (videos.frames, videos.targets)


def _sources(tmp_path):
  pixels = np.zeros((2, 4, 4, 3), np.uint8)
  yield data.Digits()
  yield data.printed()
  yield data.Arrays(pixels, np.array([0, 1]), ("one", "two"))
  yield data.folder(packing.write_images(tmp_path / "pets", CLASSES))


def test_every_source_has_every_member(tmp_path, monkeypatch):
  monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
  for source in _sources(tmp_path):
    assert isinstance(source, data.Source)
    assert source.label_space.class_names == tuple(source.class_names)
    assert source.image_size in (None, source[0].image.shape[0])
    assert (source.targets, source.frames, source.groups) == (None, None, None)
    assert source.left_out == {}
    assert len(source) == len(source.ids) == len(source.labels)
    assert source.sha256_of(range(len(source))) == source.sha256
    assert len(source.image_hashes([0, 1])) == 2


class _Noise:
  """Somebody's own: the least that serves, and no `Source`."""

  class_names, sha256 = ("one", "two"), "1"
  ids, labels = ("noise/0", "noise/1", "noise/2"), (0, 1, 1)

  def __len__(self):
    return 3

  def __getitem__(self, index):
    image = np.random.default_rng(index).integers(0, 256, (8, 8, 3), np.uint8)
    return data.Example(image, self.labels[index])


class _Videos(_Noise):
  """Likewise, but it says one thing more."""

  frames = tuple(data.Frame("noise/0", offset, (0,)) for offset in range(3))


class _Subclass(_Noise, data.Source):
  """What the documentation recommends."""


@pytest.mark.parametrize("own", [_Noise, _Videos, _Subclass])
def test_ones_own_class_serves_wherever_a_source_is_taken(own, tmp_path, monkeypatch):
  source = own()
  order = data.sample(source, 0)
  assert sorted(order) == [0, 1, 2]
  assert data.blocks(source, order, 2) == [sorted(order[:2]), order[2:]]
  assert data.image_hashes(source, [0, 1]) == ["1", "1"]
  assert data.hash_content(source, [0]) == "1"
  assert set(data.layout(source)) == set(source.ids)
  assert set(data.columns(source, [0])) == (
    {"anchor", "offset", "labels"} if own is _Videos else set()
  )
  for stream in (
    data.stream(source, [order], PREPROCESS),
    cache.stream(source, [order], PREPROCESS, tmp_path / "cache"),
    cache.stream(source, [order], PREPROCESS, tmp_path / "cache"),
  ):
    (batch,) = stream
    np.testing.assert_array_equal(batch.images, [source[index].image for index in order])
  whole = data.complete(source)
  assert {member for member in MEMBERS if not hasattr(whole, member)} == set()
  assert whole.label_space == data.LabelSpace(source.class_names)
  assert data.complete(whole) is whole
  monkeypatch.setitem(data.DATA_SETS, "noise", own)
  assert data.load("noise").label_space == whole.label_space
  assert plan.make(config.Config(models=("digits-clip",), data=("noise",))).cells


def test_the_least_is_asked_for_by_name():
  with pytest.raises(AttributeError, match="sha256"):
    _ = data.complete(object()).sha256
