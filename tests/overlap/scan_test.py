"""Searching shards: formats, hosts, killing, and what cannot be searched."""

import os
import pathlib
import shutil
import signal
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jaxbench import errors, overlap

ROOT = pathlib.Path(__file__).parents[2]
WIDTH, ROWS = 16, (300, 5, 170, 300)
SETTINGS = overlap.Settings(6)  # More than the second shard has.


def _unit(draw, rows):
  vectors = draw.normal(size=(rows, WIDTH))
  return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)


@pytest.fixture(scope="module")
def shards():
  """Vectors of four shards; some are copies of others, within a shard and across."""
  draw = np.random.default_rng(0)
  parts = [_unit(draw, rows) for rows in ROWS]
  parts[3][7] = parts[2][100] = parts[0][200] = parts[0][11]
  return parts


@pytest.fixture(scope="module")
def queries(shards):
  draw = np.random.default_rng(1)
  vectors = np.concatenate([shards[0][11:12], shards[1], _unit(draw, 40)])
  names = [f"image {row}" for row in range(len(vectors))]
  return overlap.Embeddings(vectors, ["set"] * len(names), names, {"encoder": {"name": "e"}})


@pytest.fixture(scope="module")
def reference(shards, tmp_path_factory):
  """In LAION's layout."""
  root = tmp_path_factory.mktemp("laion")
  (root / "img_emb").mkdir()
  (root / "metadata").mkdir()
  for number, vectors in enumerate(shards):
    np.save(root / "img_emb" / f"img_emb_{number:04d}.npy", vectors)
    urls = [f"https://example.org/{number}/{row}" for row in range(len(vectors))]
    pq.write_table(pa.table({"url": urls}), root / "metadata" / f"metadata_{number:04d}.parquet")
  return root


def _expected(queries, shards):
  """Cosine, shard and row by brute force in float64."""
  everything = np.concatenate(shards).astype(np.float64)
  exact = queries.vectors.astype(np.float64)
  cosines = exact @ everything.T / np.linalg.norm(everything, axis=1)
  cosines /= np.linalg.norm(exact, axis=1)[:, None]
  order = np.argsort(-np.round(cosines, 9), axis=1, kind="stable")[:, :6]
  ends = np.cumsum(ROWS)
  shard = np.searchsorted(ends, order, side="right")
  row = order - (ends - ROWS)[shard]
  return np.take_along_axis(cosines, order, axis=1).ravel(), shard.ravel(), row.ravel()


def _bytes(folder):
  return (folder / "matches.parquet").read_bytes()


def test_several_hosts_find_what_brute_force_does(queries, shards, reference, tmp_path):
  for index in (2, 0, 1):
    left = overlap.search(queries, reference, tmp_path, SETTINGS, index=index, count=3)
  assert left == 0
  matches, described = overlap.read_search(tmp_path)
  similarity, shard, row = _expected(queries, shards)
  names = [f"img_emb_{number:04d}.npy" for number in shard]
  assert matches["shard"].to_pylist() == names
  np.testing.assert_array_equal(matches["row"].to_numpy(), row)
  np.testing.assert_allclose(matches["similarity"].to_numpy(), similarity, atol=3e-7)
  assert matches["rank"].to_pylist() == list(range(6)) * len(queries.examples)
  assert matches["example"].to_pylist() == list(np.repeat(queries.examples, 6))
  urls = [f"https://example.org/{n}/{r}" for n, r in zip(shard, row, strict=True)]
  assert matches["reference"].to_pylist() == urls
  copies = list(zip(shard[:4].tolist(), row[:4].tolist(), strict=True))
  assert copies == [(0, 11), (0, 200), (2, 100), (3, 7)]  # They tie; the order is that of shards.
  assert described["settings"]["neighbours"] == 6


def test_hosts_do_not_change_a_byte(queries, reference, tmp_path):
  overlap.search(queries, reference, tmp_path / "one", SETTINGS)
  for index in (1, 0):
    overlap.search(queries, reference, tmp_path / "two", SETTINGS, index=index, count=2)
  assert _bytes(tmp_path / "one") == _bytes(tmp_path / "two")


def test_merging_in_any_order_is_the_same():
  draw = np.random.default_rng(2)
  grid = np.round(draw.random((5, 30, 4)), 1).astype(np.float32)  # Full of ties.
  parts = []
  for number, similarity in enumerate(grid):
    row = np.sort(draw.integers(0, 50, similarity.shape, np.int32), axis=1)
    order = np.lexsort((row, -similarity), axis=1)
    found = (np.take_along_axis(x, order, axis=1) for x in (similarity, row))
    parts.append((number, overlap.Nearest(*found)))
  first = overlap.merge(parts)
  for _ in range(5):
    draw.shuffle(parts)
    for one, other in zip(overlap.merge(parts), first, strict=True):
      np.testing.assert_array_equal(one, other)


KILLED = """
import os, signal, sys
from jaxbench import overlap
from jaxbench.storage import atomic
write, left = atomic.write, int(sys.argv[4])
def dying(file, content):
  global left
  left -= file.suffix == ".npz"
  if left < 0:
    file.with_name("." + file.name + ".tmp").write_bytes(content[:100])
    os.kill(os.getpid(), signal.SIGKILL)
  write(file, content)
atomic.write = dying
queries, reference, out = sys.argv[1:4]
overlap.search(overlap.read_embeddings(queries), reference, out, overlap.Settings(6))
"""


def test_a_killed_search_ends_with_the_same_bytes(queries, reference, tmp_path):
  root = tmp_path / "queries"
  (root / "img_emb").mkdir(parents=True)
  (root / "metadata").mkdir()
  np.save(root / "img_emb" / "img_emb_0000.npy", queries.vectors)
  table = pa.table({"image_path": queries.examples, "data": queries.data})
  pq.write_table(table, root / "metadata" / "metadata_0000.parquet")
  (root / "embeddings.json").write_text('{"encoder": {"name": "e"}}')
  command = [sys.executable, "-c", KILLED, root, reference, tmp_path / "run", "2"]
  done = subprocess.run(command, cwd=ROOT, env=os.environ, check=False)
  assert done.returncode == -signal.SIGKILL
  assert len(list((tmp_path / "run" / "parts").glob("*.npz"))) == 2
  kept = (tmp_path / "run" / "parts" / "00001.npz").stat().st_mtime_ns
  again = overlap.read_embeddings(root)
  assert overlap.search(again, reference, tmp_path / "run", SETTINGS) == 0
  assert (tmp_path / "run" / "parts" / "00001.npz").stat().st_mtime_ns == kept
  overlap.search(again, reference, tmp_path / "whole", SETTINGS)
  assert _bytes(tmp_path / "run") == _bytes(tmp_path / "whole")


@pytest.mark.parametrize("kind", [pa.list_(pa.float16()), pa.list_(pa.float32(), WIDTH)])
def test_parquet_holds_the_same_as_npy(kind, queries, shards, reference, tmp_path):
  (tmp_path / "parquet").mkdir()
  for number, vectors in enumerate(shards):
    rows = list(vectors.astype(np.float16 if kind.value_type == pa.float16() else np.float32))
    table = pa.table({"key": [str(row) for row in range(len(rows))], "v": pa.array(rows, kind)})
    file = tmp_path / "parquet" / f"part-{number}.parquet"
    pq.write_table(table, file, row_group_size=70)
  overlap.search(queries, tmp_path / "parquet", tmp_path / "out", SETTINGS)
  overlap.search(queries, reference, tmp_path / "npy", SETTINGS)
  found, expected = (overlap.read_search(tmp_path / name)[0] for name in ("out", "npy"))
  for column in ("example", "rank", "row", "similarity"):
    assert found[column].equals(expected[column])
  assert found["reference"].to_pylist() == [str(row) for row in found["row"].to_pylist()]


def _broken(reference, tmp_path, number, vectors):
  shutil.copytree(reference, tmp_path / "bad")
  file = tmp_path / "bad" / "img_emb" / f"img_emb_{number:04d}.npy"
  file.unlink()
  if isinstance(vectors, bytes):
    file.write_bytes(vectors)
  elif vectors is not None:
    np.save(file, vectors)
  return tmp_path / "bad"


def _wrong(shards):
  nan = shards[2].copy()
  nan[9, 3] = np.nan
  return {
    "missing": (1, None, "shard 1 is missing"),
    "width": (2, np.ones((4, 8), np.float16), "holds vectors of 8 numbers"),
    "long": (2, 5 * shards[2], r"img_emb_0002.npy: vector 0 has the length 5"),
    "nan": (2, nan, "img_emb_0002.npy: vector 9 has the length nan"),
    "integers": (2, np.ones((4, WIDTH), np.int32), "not rows of vectors"),
    "no array": (2, b"nothing", "img_emb_0002.npy cannot be read"),
  }


@pytest.mark.parametrize("name", ["missing", "width", "long", "nan", "integers", "no array"])
def test_broken_shards_are_one_clear_line(name, queries, shards, reference, tmp_path):
  number, vectors, message = _wrong(shards)[name]
  bad = _broken(reference, tmp_path, number, vectors)
  with pytest.raises(errors.InputError, match=message) as caught:
    overlap.search(queries, bad, tmp_path / "out", SETTINGS)
  assert "\n" not in str(caught.value)


def test_a_shard_that_is_cut_short_is_told(queries, reference, tmp_path):
  content = (reference / "img_emb" / "img_emb_0002.npy").read_bytes()[:-100]
  with pytest.raises(errors.InputError, match=r"img_emb_0002.npy is cut short: it says 170 rows"):
    overlap.search(queries, _broken(reference, tmp_path, 2, content), tmp_path / "out", SETTINGS)


def test_what_does_not_fit_is_refused(queries, reference, tmp_path):
  narrow = queries._replace(vectors=queries.vectors[:, :8])
  with pytest.raises(errors.InputError, match="both must come from the same model"):
    overlap.search(narrow, reference, tmp_path, SETTINGS)
  with pytest.raises(errors.InputError, match="does not exist"):
    overlap.search(queries, tmp_path / "nowhere", tmp_path, SETTINGS)
  (tmp_path / "empty").mkdir()
  with pytest.raises(errors.InputError, match=r"holds no .npy or Parquet files"):
    overlap.search(queries, tmp_path / "empty", tmp_path, SETTINGS)
  with pytest.raises(errors.InputError, match="index=2 is not one of 2 hosts"):
    overlap.search(queries, reference, tmp_path, SETTINGS, index=2, count=2)
  overlap.search(queries, reference, tmp_path / "out", SETTINGS, count=2)
  with pytest.raises(errors.InputError, match="not finished; its command goes on"):
    overlap.read_search(tmp_path / "out")
  with pytest.raises(errors.InputError, match="another settings"):
    overlap.search(queries, reference, tmp_path / "out", overlap.Settings(5))
