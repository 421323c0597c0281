"""Published recalls of CLIPs on images with captions."""

import csv
import functools
from collections.abc import Mapping

from jaxbench import model_names, tables
from jaxbench.metrics.published.protocol import Pixels, Protocol, Reference
from jaxbench.metrics.published.zero_shot import names
from jaxbench.records import directions

_SOURCE = "open_clip, docs/openclip_retrieval_results.csv"
_QUERIES = {  # All of the test, as CLIP_benchmark has it: none is cut.
  ("flickr30k", directions.IMAGE_TO_TEXT): 1_000,
  ("flickr30k", directions.TEXT_TO_IMAGE): 5_000,
  ("mscoco_captions", directions.IMAGE_TO_TEXT): 5_000,
  ("mscoco_captions", directions.TEXT_TO_IMAGE): 25_010,
}


def recall(model: str, data: str, direction: str) -> Mapping[int, Reference]:
  """The published recalls of a CLIP at 1, 5 and 10; none where there are none.

  They are of captions as they stand there, without a prompt.

  Args:
    model: as a config names it; a revision does not count.
    data: the set of images.
    direction: see `records.directions`.
  """
  return _table().get((model_names.without_revision(model), data, direction), {})


@functools.cache
def _table() -> dict[tuple[str, str, str], dict[int, Reference]]:
  found: dict[tuple[str, str, str], dict[int, Reference]] = {}
  with tables.path("published_recalls.csv").open(newline="") as file:
    for row in csv.DictReader(file):
      data, direction = row["data"], row["direction"]
      name = data if direction == directions.IMAGE_TO_TEXT else directions.captions_of(data)
      protocol = Protocol(name, _QUERIES[data, direction], pixels=Pixels())
      shares = {k: Reference(float(row[f"r{k}"]) / 100, _SOURCE, protocol) for k in (1, 5, 10)}
      for model in names(row["architecture"], row["pretrained"]):
        found.setdefault((model, data, direction), shares)
  return found
