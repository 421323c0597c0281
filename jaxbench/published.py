"""Accuracies that others have published, to stand beside one's own."""

import csv
import functools
from typing import NamedTuple

from jaxbench import errors, tables


class Table(NamedTuple):
  """Where numbers come from, and how they were measured."""

  title: str
  protocol: str
  source: str
  prompts: str | None  # Of its models; None if they are supervised.


TABLES: dict[str, Table] = {
  "fare": Table(
    "Robust CLIP encoders, ViT-L/14 at 224 pixels",
    "APGD with cross-entropy (5 restarts) and targeted DLR (9 targets), 100 steps, linf, 1,000 "
    "examples; CIFAR and STL-10 attacked at their own size",
    "Schlarmann et al., 2024, arXiv:2402.12336, table 4",
    "openai_80",
  ),
  "robustbench": Table(
    "Supervised ImageNet models",
    "standard AutoAttack, linf, RobustBench's 5,000 images",
    "RobustBench, model_info/imagenet/Linf",
    None,
  ),
}


class Accuracy(NamedTuple):
  """One published number."""

  model: str
  epsilon: str  # "4/255"; "clean".
  accuracy: float  # Share.


def check(name: str) -> None:
  """Raises InputError if there is no published table of that name."""
  if name not in TABLES:
    raise errors.unknown("published table", name, TABLES)


def accuracies(name: str, data: str) -> list[Accuracy]:
  """What a table holds of a data set, in its order; nothing if it does not have the data set.

  Raises:
    InputError: there is no such table.
  """
  check(name)
  with tables.path("published_robust_accuracies.csv").open() as file:
    rows = [row for row in csv.DictReader(file) if (row["table"], row["data"]) == (name, data)]
  return [
    Accuracy(
      row["model"],
      "clean" if row["epsilon"] == "0" else row["epsilon"],
      float(row["accuracy"]) / 100,
    )
    for row in rows
  ]


class Reference(NamedTuple):
  """What others measured of the same weights."""

  value: float  # Share.
  source: str

  def differs(self, low: float, high: float) -> bool:
    """Whether it is outside our own interval."""
    return not low <= self.value <= high


# The last part of the name, or of the path, by which `models.load` takes the weights of a line;
# other lines are called as their weights are.
_WEIGHTS = {
  "CLIP": "clip-vit-large-patch14",
  "TeCoA 2/255": "tecoa2-clip",
  "FARE 2/255": "fare2-clip",
  "TeCoA 4/255": "tecoa4-clip",
  "FARE 4/255": "fare4-clip",
  "Standard_R50": "resnet50.tv_in1k",
}


def under_attack(
  name: str, data: str, model: str, prompts: str | None
) -> tuple[str, dict[str, Reference]] | None:
  """A model's own line of a published table: what it is called there, and its numbers by epsilon.

  Args:
    name: of the table.
    data: the data set.
    model: as a config names it, or a path that ends in that name; a revision does not count.
    prompts: the prompt set; None for a supervised model.
  """
  if prompts != TABLES[name].prompts:
    return None
  own = model.partition("@")[0].rstrip("/").rpartition("/")[2]
  found = [one for one in accuracies(name, data) if own == _WEIGHTS.get(one.model, one.model)]
  if not found:
    return None
  source = TABLES[name].source
  return found[0].model, {one.epsilon: Reference(one.accuracy, source) for one in found}


_CLEAN_SOURCES = {
  "open_clip": "open_clip, docs/openclip_results.csv",
  "imagenet-testbed": "imagenet-testbed, results of Taori et al., 2020, arXiv:2007.00644",
}


def clean(model: str, prompts: str | None, data: str) -> Reference | None:
  """The published accuracy on a data set as it is; None where there is none.

  Args:
    model: as a config names it; a revision does not count.
    prompts: the prompt set; None for a supervised model.
    data: the data set.
  """
  return _clean().get((model.partition("@")[0], prompts or "", data))


@functools.cache
def _clean() -> dict[tuple[str, str, str], Reference]:
  with tables.path("published_clean_accuracies.csv").open(newline="") as file:
    return {
      (row["model"], row["prompts"], row["data"]): Reference(
        float(row["accuracy"]) / 100, _CLEAN_SOURCES[row["table"]]
      )
      for row in csv.DictReader(file)
    }


_CORRUPTION_SOURCES = {
  "hendrycks": "Hendrycks & Dietterich, 2019, README of hendrycks/robustness",
  "imagenet-testbed": "errors of imagenet-testbed over AlexNet's; it enlarges and crops the files, "
  "by which ResNet-50 has 78.2 there",
}


def corruption_error(model: str) -> Reference | None:
  """The published mCE of a supervised model on ImageNet-C's files, 1 for AlexNet; None without.

  Args:
    model: as a config names it; a revision does not count.
  """
  return _corruption_errors().get(model.partition("@")[0])


@functools.cache
def _corruption_errors() -> dict[str, Reference]:
  with tables.path("published_corruption_errors.csv").open(newline="") as file:
    return {
      row["model"]: Reference(float(row["mce"]) / 100, _CORRUPTION_SOURCES[row["table"]])
      for row in csv.DictReader(file)
    }
