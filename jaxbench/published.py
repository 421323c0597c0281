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


TABLES: dict[str, Table] = {
  "fare": Table(
    "Robust CLIP encoders, ViT-L/14 at 224 pixels",
    "APGD with cross-entropy (5 restarts) and targeted DLR (9 targets), 100 steps, linf, 1,000 "
    "examples; CIFAR and STL-10 attacked at their own size",
    "Schlarmann et al., 2024, arXiv:2402.12336, table 4",
  ),
  "robustbench": Table(
    "Supervised ImageNet models",
    "standard AutoAttack, linf, RobustBench's 5,000 images",
    "RobustBench, model_info/imagenet/Linf",
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
  """What others measured of the same classifier on the same images."""

  accuracy: float  # Share.
  source: str


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
