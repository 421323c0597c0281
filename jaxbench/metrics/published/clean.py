"""Published accuracies on images as they are."""

import csv
import functools

from jaxbench import model_names, tables
from jaxbench.metrics.published.protocol import TORCHVISION, Pixels, Protocol, Reference, openai_80

_SOURCES = {
  "open_clip": "open_clip, docs/openclip_results.csv",
  "imagenet-testbed": "imagenet-testbed, results of Taori et al., 2020, arXiv:2007.00644",
}
# All images; of videos, the anchors.
_EXAMPLES = {
  "imagenet": 50_000,
  "imagenet-a": 7_500,
  "imagenet-on-imagenet-a": 10_000,
  "imagenet-on-imagenet-r": 10_000,
  "imagenet-on-imagenet-vid-robust": 14_400,
  "imagenet-on-objectnet": 6_250,
  "imagenet-on-ytbb-robust": 11_550,
  "imagenet-r": 30_000,
  "imagenet-sketch": 50_889,
  "imagenet-vid-robust": 1_109,
  "imagenetv2-matched-frequency": 10_000,
  "objectnet": 18_574,
  "objectnet-own-names": 18_574,
  "stylized-imagenet": 50_000,
  "ytbb-robust": 2_030,  # Without those whose neighbours were found bad; that list is not public.
}
# What imagenet-testbed does to the images before a model, in its src/models.
_TESTBED_PIXELS = {
  "google/efficientnet-b3": Pixels(300, 332),
  "google/vit-base-patch16-384": Pixels(384),
  "google/vit-base-patch32-384": Pixels(384),
}
_ANEW = "images: everybody stylizes their own"


def clean(model: str, data: str) -> Reference | None:
  """The published accuracy on a data set as it is; None where there is none.

  Args:
    model: as a config names it; a revision does not count.
    data: the data set.
  """
  return _table().get((model_names.without_revision(model), data))


def standard_models(data: str) -> Protocol:
  """How the models were measured that lines of effective robustness go through."""
  return Protocol(data, _EXAMPLES[data], never=(_ANEW,) if data == "stylized-imagenet" else ())


@functools.cache
def _table() -> dict[tuple[str, str], Reference]:
  with tables.path("published_clean_accuracies.csv").open(newline="") as file:
    return {
      (row["model"], row["data"]): Reference(
        float(row["accuracy"]) / 100,
        _SOURCES[row["table"]],
        (_open_clip if row["table"] == "open_clip" else _testbed)(row),
      )
      for row in csv.DictReader(file)
    }


def _open_clip(row: dict[str, str]) -> Protocol:
  data = row["data"]
  never = ("images: their red borders were left on",) if data == "objectnet-own-names" else ()
  return Protocol(data, _EXAMPLES[data], openai_80(), Pixels(), never=never)


def _testbed(row: dict[str, str]) -> Protocol:
  protocol = standard_models(row["data"])
  if row["prompts"]:
    averaged = "prompts: their embeddings were averaged without normalising each"
    return protocol._replace(
      prompts=openai_80(), pixels=Pixels(), never=(averaged, *protocol.never)
    )
  return protocol._replace(pixels=_TESTBED_PIXELS.get(row["model"], TORCHVISION))
