"""What `jaxbench.overlap` leaves in a folder: a search of training data, and duplicates."""

import json
from typing import Any, NamedTuple

import pyarrow as pa
from etils import epath

from jaxbench import errors
from jaxbench.storage import parquet

MATCHES = pa.schema(
  [
    pa.field("data", pa.string(), nullable=False),
    pa.field("example", pa.string(), nullable=False),
    pa.field("rank", pa.int32(), nullable=False),  # 0 is the nearest.
    pa.field("similarity", pa.float32(), nullable=False),  # Cosine.
    pa.field("shard", pa.string(), nullable=False),  # File name.
    pa.field("row", pa.int32(), nullable=False),  # Within the shard.
    pa.field("reference", pa.string()),  # URL or key, where the metadata have one.
  ]
)
PAIRS = pa.schema(
  [
    pa.field("detector", pa.string(), nullable=False),  # "exact", "perceptual", "embedding".
    pa.field("data", pa.string(), nullable=False),
    pa.field("example", pa.string(), nullable=False),
    pa.field("other_data", pa.string(), nullable=False),
    pa.field("other", pa.string(), nullable=False),
    # Cosine; of hashes see `overlap.fingerprints`.
    pa.field("similarity", pa.float32(), nullable=False),
    pa.field("duplicate", pa.bool_(), nullable=False),  # Not below the threshold.
  ]
)
# Of thresholds; beside them is the recall of every kind of planted copy, float64, by its name.
FIGURES = pa.schema(
  [
    pa.field("data", pa.string(), nullable=False),
    pa.field("detector", pa.string(), nullable=False),
    pa.field("originals", pa.int32(), nullable=False),
    pa.field("copies", pa.int32(), nullable=False),
    pa.field("asked", pa.float64(), nullable=False),  # Precision.
    *(
      pa.field(name, pa.float64())  # Null where no threshold has the precision.
      for name in ("threshold", "precision", "recall", "recall_low", "recall_high")
    ),
  ]
)


class Duplicates(NamedTuple):
  """What `overlap.find_duplicates` has written."""

  pairs: pa.Table  # Of PAIRS: every example's nearest others, each pair once, and equal pixels.
  calibration: pa.Table  # Of FIGURES and kinds of planted copies.
  described: dict[str, Any]  # duplicates.json.

  @property
  def kinds(self) -> tuple[str, ...]:
    """The kinds of planted copies."""
    return tuple(self.calibration.column_names[len(FIGURES) :])

  def thresholds(self, detector: str) -> dict[str, float | None]:
    """Thresholds by data set, at the precision that was asked for."""
    return {
      row["data"]: row["threshold"]
      for row in self.calibration.to_pylist()
      if row["detector"] == detector and row["asked"] == self.described["precision"]
    }


def read_search(folder: epath.PathLike) -> tuple[pa.Table, dict[str, Any]]:
  """The matches of a finished search, as MATCHES has them, and search.json.

  Raises:
    InputError: there is no search, or it is not finished.
  """
  root = epath.Path(folder)
  if not (root / "search.json").exists():
    raise errors.InputError(f"{folder} holds no search; make one: jaxbench.overlap search")
  if not (root / "matches.parquet").exists():
    raise errors.InputError(f"the search in {folder} is not finished; its command goes on with it")
  return parquet.read(root / "matches.parquet"), json.loads((root / "search.json").read_text())


def read_duplicates(folder: epath.PathLike) -> Duplicates | None:
  """The duplicates that were looked for in a folder; None if there were none looked for."""
  root = epath.Path(folder)
  files = [root / name for name in ("pairs.parquet", "calibration.parquet", "duplicates.json")]
  if not all(file.exists() for file in files):
    return None
  pairs, calibration = map(parquet.read, files[:2])
  return Duplicates(pairs, calibration, json.loads(files[2].read_text()))
