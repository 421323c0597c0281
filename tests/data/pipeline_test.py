"""What reaches a model: the pixels of its own pipeline, whoever reads them and however many."""

import numpy as np
import pytest
from PIL import Image
from references import packing, readers

from jaxbench import data, errors, models

CLASSES = ("bird", "cat", "dog")


@pytest.fixture(scope="module")
def pets(tmp_path_factory):
  root = packing.write_images(tmp_path_factory.mktemp("sets") / "pets", CLASSES)
  Image.fromarray(np.full((9, 9), 40_000, np.uint16)).save(root / "cat/3.png")
  Image.open(root / "cat/0.jpg").convert("CMYK").save(root / "cat/4.jpg")
  Image.open(root / "cat/0.jpg").quantize(7).save(root / "cat/5.gif")
  Image.new("RGBA", (14, 20), (200, 10, 10, 20)).save(root / "cat/6.png")
  (root / "dog/0.jpg").write_bytes((root / "dog/0.jpg").read_bytes()[:200])
  return root


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
  monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


PREPROCESS = models.Preprocess(8, 9)


def test_pixels_are_those_of_the_models_own_pipeline_whatever_the_mode(pets):
  source = data.folder(pets)
  indices = [i for i, name in enumerate(source.ids) if name != "dog/0.jpg"]
  images, labels = data.load_images(source, indices, PREPROCESS)
  for index, image, label in zip(indices, images, labels, strict=True):
    expected = PREPROCESS(Image.open(pets / source.ids[index]))
    np.testing.assert_array_equal(image, expected)
    assert CLASSES[label] == source.ids[index].split("/")[0]


@pytest.mark.usual("0", "2")
@pytest.mark.parametrize("workers", [0, 1, 2])
def test_batches_come_in_the_order_asked_for_with_any_number_of_workers(pets, workers):
  source = data.folder(pets)
  broken = source.ids.index("dog/0.jpg")
  batches = [[5, 2, broken, 0], [1], [broken], [7, 3, 12]]
  found = list(data.stream(source, batches, PREPROCESS, workers))
  assert [batch.readable.tolist() for batch in found] == [
    [True, True, False, True],
    [True],
    [False],
    [True, True, True],
  ]
  for indices, batch in zip(batches, found, strict=True):
    kept = [index for index in indices if index != broken]
    assert batch.labels.tolist() == [source.labels[index] for index in kept]
    assert len(batch.images) == len(kept)
    for index, image in zip(kept, batch.images, strict=True):
      np.testing.assert_array_equal(image, PREPROCESS(source[index].image))
  for batch in (found[0], found[2]):
    (error,) = batch.errors
    assert "dog/0.jpg" in error
    assert "cannot be decoded" in error


def test_whoever_asks_for_a_broken_image_alone_is_told(pets):
  source = data.folder(pets)
  with pytest.raises(errors.InputError, match=r"dog/0.jpg in .*pets cannot be decoded"):
    data.load_images(source, [0, source.ids.index("dog/0.jpg")], PREPROCESS)


@pytest.mark.usual("2")
@pytest.mark.parametrize("workers", [2, 3])
def test_each_worker_reads_a_piece_of_the_sources_order(workers):
  draw = np.random.default_rng(0)
  batches = [draw.permutation(100)[:size].tolist() for size in (13, 40, 7)]
  source = readers.Readers(100)
  for batch, indices in zip(
    data.stream(source, batches, np.asarray, workers), batches, strict=True
  ):
    processes = batch.images[np.argsort(indices), 0, :, 0]
    changes = np.count_nonzero((processes[1:] != processes[:-1]).any(axis=1))
    assert changes == workers - 1
    assert batch.labels.tolist() == [index % 2 for index in indices]
