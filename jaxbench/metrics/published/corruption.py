"""Published errors on ImageNet-C's files, and how AlexNet's, that they are divided by, came."""

import csv
import functools

from jaxbench import model_names, tables
from jaxbench.metrics.published.protocol import TORCHVISION, Pixels, Protocol, Reference

# The files have 224 pixels: they were shown as they are, or enlarged and cropped.
ALEXNET = Protocol("imagenet-c", 50_000, pixels=Pixels(224, interpolation=""))
_PROTOCOLS = {"hendrycks": ALEXNET, "imagenet-testbed": ALEXNET._replace(pixels=TORCHVISION)}
_SOURCES = {
  "hendrycks": "Hendrycks & Dietterich, 2019, README of hendrycks/robustness",
  "imagenet-testbed": "errors of imagenet-testbed over AlexNet's; it enlarges and crops the files, "
  "by which ResNet-50 has 78.2 there",
}


def corruption_error(model: str) -> Reference | None:
  """The published mCE of a supervised model on ImageNet-C's files, 1 for AlexNet; None without.

  Args:
    model: as a config names it; a revision does not count.
  """
  return _table().get(model_names.without_revision(model))


@functools.cache
def _table() -> dict[str, Reference]:
  with tables.path("published_corruption_errors.csv").open(newline="") as file:
    return {
      row["model"]: Reference(
        float(row["mce"]) / 100, _SOURCES[row["table"]], _PROTOCOLS[row["table"]]
      )
      for row in csv.DictReader(file)
    }
