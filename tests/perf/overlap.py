"""Exact neighbours of ours against faiss-cpu's IndexFlatIP; run by hand.

  pip install faiss-cpu
  PYTHONPATH=tests python tests/perf/overlap.py [--queries=4096] [--vectors=131072] [--width=512]

Same random vectors in memory, same cores, same run, taking turns; of each the fastest turn counts,
and the one with the least processor time, which a busy machine disturbs less.
Compilation is left out, and so is faiss's copy of the vectors into its index, while ours reads them
anew. Ours computes the cosines, checks the lengths and orders ties. Ratios above 1: ours is faster.
No exact search is faster than the matrix product it needs; the share of that speed is printed.
"""

import time
from collections.abc import Callable

import numpy as np
from absl import app, flags
from references import machine

from jaxbench import devices, overlap

_QUERIES = flags.DEFINE_integer("queries", 4096, "Evaluation images.")
_VECTORS = flags.DEFINE_integer("vectors", 131_072, "Reference vectors.")
_WIDTH = flags.DEFINE_integer("width", 512, "Numbers of a vector.")
_NEIGHBOURS = flags.DEFINE_integer("neighbours", 4, "Kept of each query.")
_TURNS = flags.DEFINE_integer("turns", 3, "Of each.")
_FAISS = flags.DEFINE_bool("faiss", True, "Beside faiss; it takes long for what keeps a GPU busy.")


def _unit(rows: int, seed: int) -> np.ndarray:
  """float16 [rows, D], unit vectors as they are stored."""
  drawn = np.random.default_rng(seed).standard_normal((rows, _WIDTH.value), np.float32)
  return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float16)


def _normalised(vectors: np.ndarray) -> np.ndarray:
  """float32: of what rounding left, so that inner products are cosines."""
  exact = vectors.astype(np.float32)
  return exact / np.linalg.norm(exact, axis=1, keepdims=True)


def _ours(queries: np.ndarray, vectors: np.ndarray) -> Callable[[], np.ndarray]:
  size, settings = overlap.piece_size(len(vectors)), overlap.Settings(_NEIGHBOURS.value)

  def run() -> np.ndarray:
    pieces = (vectors[start : start + size] for start in range(0, len(vectors), size))
    return overlap.nearest(queries, pieces, len(vectors), settings).row

  return run


def _theirs(queries: np.ndarray, vectors: np.ndarray) -> Callable[[], np.ndarray]:
  import faiss

  faiss.omp_set_num_threads(devices.cores())
  index = faiss.IndexFlatIP(vectors.shape[1])
  index.add(_normalised(vectors))
  some = _normalised(queries)
  return lambda: index.search(some, _NEIGHBOURS.value)[1]


def main(_: list[str]) -> None:
  """Prints a line for each, and what a billion vectors would take."""
  machine.use_all_of_it()
  queries, vectors = _unit(_QUERIES.value, 0), _unit(_VECTORS.value, 1)
  contenders = {
    "ours, float16 stored": _ours(queries, vectors),
    "ours, float32 stored": _ours(queries, vectors.astype(np.float32)),
  }
  if _FAISS.value:
    contenders["faiss IndexFlatIP"] = _theirs(queries, vectors)
  found = {name: run() for name, run in contenders.items()}
  best = dict.fromkeys(contenders, np.inf)
  busy = dict.fromkeys(contenders, np.inf)
  for _ in range(_TURNS.value):
    for name, run in contenders.items():
      began, worked = time.perf_counter(), time.process_time()
      run()
      best[name] = min(best[name], time.perf_counter() - began)
      busy[name] = min(busy[name], time.process_time() - worked)
  *_, theirs = contenders
  bound = machine.product_flops("float32") * devices.mesh().size
  print(f"{len(queries)} queries, {len(vectors)} vectors of {_WIDTH.value}, k {_NEIGHBOURS.value}")
  for name, seconds in best.items():
    rate = len(vectors) / seconds
    flops = 2 * len(queries) * rate * _WIDTH.value
    same = (found[name] == found[theirs]).mean()
    print(
      f"{name}: {rate:,.0f} vectors/s ({flops / 1e9:.0f} GFLOP/s, {flops / bound:.0%} of large "
      f"matrix products), {best[theirs] / seconds:.2f}x, {busy[theirs] / busy[name]:.2f}x in "
      f"processor time; the same neighbours: {same:.4%}; a billion vectors and these queries: "
      f"{1e9 / rate * devices.mesh().size / 3600:.1f} device hours"
    )


if __name__ == "__main__":
  app.run(main)
