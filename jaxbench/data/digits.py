"""The embedded data set: 1,797 scans of handwritten digits (Alpaydin & Kaynak, UCI, 1998)."""

import functools
import gzip
import hashlib

import numpy as np

from jaxbench import tables
from jaxbench.data.ids import canonical_order
from jaxbench.data.source import Example, Source

CLASS_NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_HELD_OUT_PER_CLASS = 36  # A fifth; the embedded models never saw these.


class Digits(Source):
  """One split of the scans, 8x8 pixels each, as grey RGB.

  Args:
    split: "test", 360 held-out scans, 36 a class; or "train", the other 1,437.
  """

  class_names = CLASS_NAMES
  image_size = 8

  def __init__(self, split: str = "test"):
    pixels, labels, self.sha256 = _table()
    ids = [f"digits/{row:04d}" for row in range(len(labels))]
    held_out: set[int] = set()
    for label in range(len(CLASS_NAMES)):
      (rows,) = np.nonzero(labels == label)
      first = canonical_order([ids[row] for row in rows])[:_HELD_OUT_PER_CLASS]
      held_out.update(rows[first].tolist())
    self._rows = [row for row in range(len(labels)) if (row in held_out) == (split == "test")]
    self._pixels = pixels
    self.ids = [ids[row] for row in self._rows]
    self.labels = [int(labels[row]) for row in self._rows]  # The digit of each scan.

  def __getitem__(self, index: int) -> Example:
    """The scan `ids[index]`, ink white on black, uint8 [8, 8, 3]."""
    row = self._rows[index]
    return Example(np.repeat(self._pixels[row][..., None], 3, axis=-1), self.labels[index])


@functools.cache
def _table() -> tuple[np.ndarray, np.ndarray, str]:
  """Pixels uint8 [N, 8, 8] in 0..255, labels int32 [N], and the file's SHA-256."""
  packed = tables.path("uci_digits.csv.gz").read_bytes()
  table = np.loadtxt(gzip.decompress(packed).decode().splitlines(), delimiter=",", dtype=np.int32)
  levels = table[:, :-1].reshape(-1, 8, 8)  # 0..16: a count of inked dots of 4x4.
  pixels = np.rint(levels * 255 / 16).astype(np.uint8)
  return pixels, table[:, -1], hashlib.sha256(packed).hexdigest()
