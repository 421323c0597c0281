"""What is read of data: row groups once a pass, no image for a plan, none beyond a limit."""

import io

import jax
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from references import packing

from jaxbench import config, data, imagenet_c, models, overlap, plan, records
from jaxbench.blocks import cache
from jaxbench.data import row_groups
from jaxbench.evaluate import runner


@pytest.fixture
def scans(tmp_path):
  """400 of the embedded scans in 25 row groups, sorted by class as the hub's files are."""
  source = data.load("digits-train")
  order = np.argsort(source.labels, kind="stable")[np.linspace(0, len(source) - 1, 400).astype(int)]
  rows = []
  for index in order:
    content = io.BytesIO()
    Image.fromarray(source[int(index)].image).save(content, "PNG")
    rows.append({"bytes": content.getvalue(), "path": f"{index}.png"})
  labels = [source.class_names[source.labels[index]] for index in order]
  (tmp_path / "scans").mkdir()
  for number in range(2):
    part = slice(200 * number, 200 * number + 200)
    table = pa.table({"image": rows[part], "label": labels[part]})
    file = tmp_path / "scans" / f"test-{number:05d}-of-00002.parquet"
    pq.write_table(table, file, row_group_size=16)
  (tmp_path / "scans/classnames.txt").write_text("\n".join(source.class_names))
  return tmp_path / "scans"


@pytest.fixture
def reads(monkeypatch):
  """Which row groups were read, from now on."""
  groups = []
  read = pq.ParquetFile.read_row_group

  def counted(file, group, columns=None):
    groups.append(group)
    return read(file, group, columns=columns)

  monkeypatch.setattr(pq.ParquetFile, "read_row_group", counted)
  return groups


@pytest.mark.parametrize("size", [100, 330])
def test_a_pass_reads_a_row_group_at_most_one_and_a_fifth_times(size, tmp_path, reads, monkeypatch):
  content = io.BytesIO()
  Image.new("RGB", (8, 8)).save(content, "PNG")
  images, labels = [content.getvalue()] * 2000, ["cat"] * 1000 + ["dog"] * 1000
  table = pa.table({"image": images, "label": labels})
  pq.write_table(table, tmp_path / "pets.parquet", row_group_size=16)
  # As of ImageNet's groups and blocks: more than the readers are ahead, less than the whole.
  monkeypatch.setattr(row_groups, "_KEEP_BYTES", 1000 * (len(images[0]) + 4))
  source = data.load(str(tmp_path / "pets.parquet"))
  blocks = data.blocks(source, data.sample(source, 0), size)
  assert sorted(index for block in blocks for index in block) == list(range(2000))
  for _ in data.stream(source, blocks, np.asarray):
    pass
  assert set(reads) == set(range(125))
  assert len(reads) <= 1.2 * 125


def _settings(place, **changes):
  asked = {"models": ("digits-resnet",), "data": (str(place),), "slots": 8, "block": 50, "limit": 0}
  return config.checked(config.Config(**(asked | changes)))


@pytest.mark.slow
def test_a_run_that_was_begun_in_another_order_goes_on_in_it(scans, tmp_path, monkeypatch):
  settings = _settings(scans)
  with monkeypatch.context() as before:
    before.setattr(
      data, "blocks", lambda source, order, size: [order[i : i + size] for i in range(0, 400, size)]
    )
    runner.run(settings, plan.make(settings), tmp_path / "whole")
  expected = records.read(tmp_path / "whole").sort_by("example")
  parts = sorted((tmp_path / "whole/records").iterdir())
  assert len(parts) == 8
  for part in parts[::2]:
    part.unlink()
  for lease in (tmp_path / "whole").rglob("leases/*"):
    lease.unlink()
  runner.run(settings, plan.make(settings), tmp_path / "whole")
  assert records.read(tmp_path / "whole").sort_by("example").equals(expected)
  runner.run(settings, plan.make(settings), tmp_path / "new")
  assert records.read(tmp_path / "new").sort_by("example").equals(expected)


def test_pictures_are_of_several_groups_in_a_run_of_row_groups(scans):
  source = data.load(str(scans))
  (first, *_) = data.blocks(source, data.sample(source, 0), 50)
  assert len({source.groups[index] for index in first[:8]}) >= 3


@pytest.fixture
def opened(monkeypatch):
  """The images that were read, from now on."""
  names = []
  read = data.Labelled.read
  monkeypatch.setattr(
    data.Labelled, "read", lambda self, index: names.append(index) or read(self, index)
  )
  return names


def test_a_plan_reads_no_image_and_hashing_no_more_than_the_limit(tmp_path, opened):
  names = data.load("digits").class_names
  root = packing.write_images(tmp_path / "pets", names, each=3)
  told = plan.make(_settings(root), read=False)
  assert not opened
  assert {cell.fingerprint for cell in told.cells} == {""}
  limited = plan.make(_settings(root, limit=7))
  assert len(opened) == len(set(opened)) == 7
  plan.make(_settings(root, limit=7))
  assert len(opened) == 7  # It is known now,
  (cell,) = plan.make(_settings(root, limit=7), read=False).cells
  assert cell.id == limited.cells[0].id  # and a plan tells it.
  whole = plan.make(_settings(root))
  assert len(opened) == len(set(opened)) == 30  # Those seven are known.
  assert whole.data[str(root)].sha256 == data.load(str(root)).sha256
  assert plan.make(_settings(root, limit=8), read=False).cells[0].fingerprint
  assert len(opened) == 30


def _cached(source, folder):
  list(cache.stream(source, [[4, 0], [3]], models.Preprocess(8), folder))


def _corrupted(source, folder):
  asked = config.Corruptions(variant="cifar")
  options = {"settings": asked, "preprocess": models.Preprocess(8), "limit": 3, "slots": 1}
  imagenet_c.write(source, folder, ("contrast",), (2,), **options)


def _embedded(source, folder):
  encode = jax.tree_util.Partial(lambda images: images.reshape(len(images), -1)[:, :8])
  encoder = overlap.Encoder("pixels", encode, models.Preprocess(8), copies=False)
  overlap.embed(encoder, {"pets": source}, folder, limit=3)


@pytest.mark.parametrize("use", [_cached, _corrupted, _embedded])
def test_no_image_beyond_the_limit_is_read_by_whoever_takes_one(tmp_path, opened, use):
  root = packing.write_images(tmp_path / "pets", ("cat", "dog"), each=8)
  use(data.load(str(root)), tmp_path / "made")
  assert len(set(opened)) == 3
  use(data.load(str(root)), tmp_path / "made")
  assert len(set(opened)) == 3


def test_the_hash_of_a_part_is_that_of_its_content_alone(tmp_path):
  root = packing.write_images(tmp_path / "pets", ("cat", "dog"), each=3)
  source = data.load(str(root))
  first = data.hash_content(source, [0, 4])
  assert first == data.hash_content(source, [4, 0]) != data.hash_content(source, [0, 3])
  (root / "cat/1.jpg").write_bytes(b"another")
  assert data.hash_content(data.load(str(root)), [0, 4]) == first
  (root / "cat/0.jpg").write_bytes(b"another")
  assert data.hash_content(data.load(str(root)), [0, 4]) != first


def test_a_known_hash_of_all_is_that_of_the_set_with_targets_too(tmp_path):
  for name in ("dog/dog1-cat2.png", "cat/cat1-dog2.png", "cat/cat3-cat2.png"):
    file = tmp_path / "cue-conflict" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4)).save(file)
  source = data.load("cue-conflict", tmp_path)
  everything = [2, 0, 1]
  assert data.hash_content(source, everything, read=False) == ""
  assert data.hash_content(source, everything) == source.sha256
  assert data.hash_content(source, everything, read=False) == source.sha256
  assert data.hash_content(source, [0, 2]) != data.hash_content(source, [0, 1])


def test_a_run_records_what_was_left_out(tmp_path):
  root = packing.write_images(tmp_path / "pets", data.load("digits").class_names, each=1)
  (root / "one/photo.heic").write_bytes(b"?")
  (root / "one/about.txt").write_text("A note is no loss.")
  settings = _settings(root, limit=2)
  runner.run(settings, plan.make(settings), tmp_path / "run")
  (warning,) = records.load_run(tmp_path / "run")["warnings"]
  assert warning == {"what": str(root), "name": "incomplete", "detail": "left out: 1 .heic"}
