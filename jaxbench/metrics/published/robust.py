"""Accuracies under attack that others have published, table by table."""

import csv
from typing import NamedTuple

from jaxbench import errors, model_names, tables
from jaxbench.metrics.published.protocol import (
  TORCHVISION,
  Pixels,
  Protocol,
  openai_80,
  own_templates,
)


class Table(NamedTuple):
  """Where numbers come from, and how they were measured in short; `protocol` has it in full."""

  title: str
  protocol: str
  source: str


TABLES: dict[str, Table] = {
  "fare": Table(
    "Robust CLIP encoders, ViT-L/14 at 224 pixels",
    "each set's own prompts; APGD with cross-entropy (5 restarts) and targeted DLR (9 targets), "
    "100 steps, linf, 1,000 examples; CIFAR and STL-10 attacked at their own size",
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


# The last parts of the names, or of the paths, by which `models.load` takes the weights of a line;
# other lines are called as their weights are.
_WEIGHTS = {
  "CLIP": ("clip-vit-large-patch14",),
  "TeCoA 2/255": ("tecoa2-clip", "clip-vit-large-patch14+tecoa_eps_2.pt"),
  "FARE 2/255": ("fare2-clip", "clip-vit-large-patch14+fare_eps_2.pt"),
  "TeCoA 4/255": ("tecoa4-clip", "clip-vit-large-patch14+tecoa_eps_4.pt"),
  "FARE 4/255": ("fare4-clip", "clip-vit-large-patch14+fare_eps_4.pt"),
  "Standard_R50": ("resnet50.tv_in1k",),
}


def under_attack(name: str, data: str, model: str) -> tuple[str, dict[str, float]] | None:
  """A model's own line of a published table: what it is called there, and its shares by epsilon.

  Args:
    name: of the table.
    data: the data set.
    model: as a config names it, or a path that ends in that name; a revision does not count.
  """
  parts = model_names.without_revision(model).split("+")  # A base, and its vision tower.
  weights = "+".join(part.rstrip("/").rpartition("/")[2] for part in parts)
  entries = [
    entry
    for entry in accuracies(name, data)
    if weights in _WEIGHTS.get(entry.model, (entry.model,))
  ]
  return (
    (entries[0].model, {entry.epsilon: entry.accuracy for entry in entries}) if entries else None
  )


def protocol(name: str, data: str, line: str | None, *, attacked: bool) -> Protocol:
  """That of a published table.

  Args:
    name: of the table.
    data: a data set that it has.
    line: what a model is called there; None for a model that it does not have.
    attacked: of numbers under attack, or of clean ones.
  """
  if name == "fare":
    return _fare(data, attacked)
  pixels = _ROBUSTBENCH_PIXELS.get(line, TORCHVISION) if line else None
  never = (_UNLIKE[line],) if line in _UNLIKE else ()
  attack = "autoattack" if attacked else None
  return Protocol(data, 5_000, None, pixels, "robustbench", attack, never)


_BICUBIC = Pixels(224, 256)
_ROBUSTBENCH_PIXELS = {
  "Debenedetti2022Light_XCiT-S12": None,
  "Liu2023Comprehensive_Swin-L": _BICUBIC,
  "Singh2023Revisiting_ViT-B-ConvStem": _BICUBIC,
  "Wong2020Fast": None,
}
_UNLIKE = {
  "Debenedetti2022Light_XCiT-S12": "images: its preprocessing is not in the table's source",
  "Wong2020Fast": "images: the centre of 288 pixels, not resized",
}

# Whole sets, on which clean numbers are; ImageNet's are RobustBench's, of which nobody tells how
# many.
_FARE_EXAMPLES = {
  "caltech101": 6_085,
  "cars": 8_041,
  "cifar10": 10_000,
  "cifar100": 10_000,
  "dtd": 1_880,
  "eurosat": 5_400,
  "fgvc_aircraft": 3_333,
  "flowers": 6_149,
  "imagenet-r": 30_000,
  "imagenet-sketch": 50_889,
  "pcam": 32_768,
  "pets": 3_669,
  "stl10": 8_000,
}
_FARE_SMALL = {"cifar10": 32, "cifar100": 32, "stl10": 96}
_FARE_ATTACK = "autoattack(attacks=('apgd-ce', 'apgd-t'), restarts=5)"
_FARE_ATTACK_OF_TWO_CLASSES = "autoattack(attacks=('apgd-ce',), restarts=5)"


def _fare(data: str, attacked: bool) -> Protocol:
  """RobustVLM's evaluation, by its code (commit 7de10ee2)."""
  never = []
  if data == "imagenet":
    never.append("examples: which of RobustBench's 5,000 is not published")
  if data in _FARE_SMALL:
    never.append("images: enlarged inside by torch's bicubic, which is not Pillow's")
  examples = _FARE_EXAMPLES.get(data)
  subset = "robustbench" if data == "imagenet" else ""
  if attacked and data != "imagenet":
    examples, subset = 1_000, "robustvlm(n=1000)"
  size = _FARE_SMALL.get(data)
  return Protocol(
    data,
    examples,
    openai_80() if data.startswith("imagenet") else own_templates(data),
    Pixels(size, native=True) if size else Pixels(),
    subset,
    (_FARE_ATTACK_OF_TWO_CLASSES if data == "pcam" else _FARE_ATTACK) if attacked else None,
    tuple(never),
  )
