"""A page of the pairs around a threshold, so that a person can judge by eye where it belongs."""

import base64
import io
import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import jinja2
import numpy as np
import pyarrow as pa
from etils import epath
from PIL import Image

from jaxbench import data
from jaxbench.records.overlap import Duplicates, read_duplicates, read_search
from jaxbench.storage import atomic

_SHOWN = 12  # Pairs on either side of a threshold.
_SIDE = 112  # Pixels of a picture.


class Pair(NamedTuple):
  """Two images that are alike, and how much."""

  similarity: float
  first: tuple[str, str]  # Data set and example.
  second: tuple[str, str] | None  # None where there is no picture of it.
  name: str  # Of the second.


class Group(NamedTuple):
  """Pairs of one data set, as one detector finds them."""

  title: str
  threshold: float | None
  above: list[Pair]  # Both from the threshold away.
  below: list[Pair]


def write(
  folder: epath.PathLike, sources: Mapping[str, data.Source], threshold: float | None = None
) -> epath.Path:
  """Writes `pairs.html` of what was found in a folder of duplicates, of a search, or of both.

  Args:
    folder: of the results.
    sources: their data sets by name.
    threshold: of embeddings; by default the calibrated ones.

  Raises:
    InputError: the folder holds neither.
  """
  root, found = epath.Path(folder), read_duplicates(folder)
  groups = [] if found is None else _duplicates(found, threshold)
  if found is None or (root / "search.json").exists():
    limits = {} if found is None else found.thresholds("embedding")
    matches, described = read_search(folder)
    groups += _matches(matches, described["reference"], limits, threshold)
  environment = jinja2.Environment(
    loader=jinja2.FileSystemLoader(pathlib.Path(__file__).parent),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
  )
  page = environment.get_template("pairs.html").render(
    groups=groups, picture=_Pictures(sources), folder=str(folder)
  )
  atomic.write(root / "pairs.html", page.encode())
  return root / "pairs.html"


def _duplicates(found: Duplicates, threshold: float | None) -> list[Group]:
  groups, rows = [], found.pairs.to_pylist()
  for detector in ("perceptual", "embedding"):
    limits = found.thresholds(detector)
    for name in limits:
      limit = limits[name] if threshold is None or detector == "perceptual" else threshold
      pairs = [
        Pair(row["similarity"], (row["data"], row["example"]), other, other[1])
        for row in rows
        if row["detector"] == detector and row["data"] == name
        for other in [(row["other_data"], row["other"])]
      ]
      groups.append(_group(f"Within {name}, {detector}", limit, pairs))
  return groups


def _matches(
  matches: pa.Table, reference: str, limits: Mapping[str, Any], threshold: float | None
) -> list[Group]:
  rows = [row for row in matches.to_pylist() if row["rank"] == 0]
  groups = []
  for name in dict.fromkeys(row["data"] for row in rows):
    pairs = [
      Pair(row["similarity"], (name, row["example"]), None, _reference(row))
      for row in rows
      if row["data"] == name
    ]
    limit = limits.get(name) if threshold is None else threshold
    groups.append(_group(f"{name} and {reference}", limit, pairs))
  return groups


def _reference(row: Mapping[str, Any]) -> str:
  return row["reference"] or f"{row['shard']}, row {row['row']}"


def _group(title: str, threshold: float | None, pairs: list[Pair]) -> Group:
  """Without a threshold all are below, the most similar ones first."""
  falling = sorted(pairs, key=lambda pair: (-pair.similarity, pair.first))
  limit = np.inf if threshold is None else np.float32(threshold)
  above = [pair for pair in falling if pair.similarity >= limit]
  below = falling[len(above) :]
  return Group(title, threshold, above[::-1][:_SHOWN], below[:_SHOWN])


class _Pictures:
  """Data URLs of PNGs, by data set and example."""

  def __init__(self, sources: Mapping[str, data.Source]):
    self._sources = sources
    self._where = {
      name: {example: index for index, example in enumerate(source.ids)}
      for name, source in sources.items()
    }

  def __call__(self, key: tuple[str, str]) -> str:
    name, example = key
    image = Image.fromarray(self._sources[name][self._where[name][example]].image)
    scale = _SIDE / max(image.size)
    shown = image.resize([max(1, round(side * scale)) for side in image.size])
    buffer = io.BytesIO()
    shown.save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
