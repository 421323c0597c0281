"""Published clean accuracies of CLIPs on the sets of the zero-shot papers."""

import csv
import functools
import json

from jaxbench import model_names, tables
from jaxbench.metrics.published.protocol import (
  Pixels,
  Protocol,
  Reference,
  openai_80,
  own_templates,
)

_SOURCES = {
  "open_clip": "open_clip, docs/openclip_results.csv",
  "clip_benchmark": "CLIP_benchmark, benchmark/benchmark.csv",
}
# OpenAI's weights under transformers' names; all others by the repositories of open_clip's table.
_OPENAI = {
  "ViT-B-32": "openai/clip-vit-base-patch32",
  "ViT-B-16": "openai/clip-vit-base-patch16",
  "ViT-L-14": "openai/clip-vit-large-patch14",
  "ViT-L-14-336": "openai/clip-vit-large-patch14-336",
}


def zero_shot(model: str, data: str, metric: str) -> Reference | None:
  """The published accuracy of a CLIP on a set; None where there is none.

  Args:
    model: as a config names it; a revision does not count.
    data: the data set.
    metric: that papers report of it, see `metrics.headline`.
  """
  return _table().get((model_names.without_revision(model), data, metric))


@functools.cache
def _table() -> dict[tuple[str, str, str], Reference]:
  found: dict[tuple[str, str, str], Reference] = {}
  with tables.path("published_zero_shot_accuracies.csv").open(newline="") as file:
    for row in csv.DictReader(file):
      reference = Reference(float(row["accuracy"]) / 100, _SOURCES[row["table"]], _protocol(row))
      for name in names(row["architecture"], row["pretrained"]):
        found.setdefault((name, row["data"], row["metric"]), reference)
  return found


def names(architecture: str, tag: str) -> list[str]:
  """All that a config may call weights that open_clip calls so."""
  key = f"{architecture}.{tag}"
  return [
    f"open_clip:{architecture}/{tag}",
    *([_hubs()[key]["hf_hub"]] if key in _hubs() else []),
    *([_OPENAI[architecture]] if tag == "openai" and architecture in _OPENAI else []),
  ]


@functools.cache
def _hubs() -> dict[str, dict[str, str]]:
  return json.loads(tables.path("open_clip_pretrained.json").read_text())


def _protocol(row: dict[str, str]) -> Protocol:
  data = row["data"]
  eighty = data.startswith(("imagenet", "objectnet"))
  key = data.removesuffix("-all")  # Of the whole of a set the prompts are the same.
  prompts = openai_80() if eighty else own_templates(key)
  return Protocol(data, int(row["examples"]), prompts, Pixels())
