"""Accuracies under attack that others have published, table by table."""

import csv
import functools
from typing import NamedTuple

from jaxbench import errors, model_names, tables


class Table(NamedTuple):
  """Where numbers come from, and how they were measured in short; `measured` has it in full."""

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
  "robustvlm-base": Table(
    "Robust CLIP encoders, base models",
    "as fare; only the mean over its thirteen zero-shot sets",
    "chs20/RobustVLM, README, commit 7de10ee2",
  ),
  "tecoa": Table(
    "TeCoA, ViT-B/32, tuned on ImageNet at 1/255",
    "TeCoA's prompts and images; PGD, linf, whose steps are not told; only the mean over its "
    "sixteen sets",
    "cvlab-columbia/ZSRobust4FoundationModel, README, commit 1243db66 (arXiv:2212.07016)",
  ),
  "tga-zsr": Table(
    "TGA-ZSR, ViT-B/32, tuned on Tiny ImageNet at 1/255",
    "TeCoA's prompts and images; PGD-100, steps of 1/255, linf; only the mean over its sixteen "
    "sets",
    "zhyblue424/TGA-ZSR, README, commit 663fe573",
  ),
  "bap": Table(
    "Test-time defences of CLIP ViT-B/16 (secondary)",
    '"a photo of {}"; PGD-10, linf, against the undefended CLIP',
    "BaP, table 2, as others quote it",
  ),
  "t-vss": Table(
    "Test-time defences of CLIP on CoOp's sets (secondary)",
    '"a photo of a {}."; PGD-7 (RN50) or PGD-100, linf, against the undefended CLIP, whose images '
    "are then rounded down to 8 bits",
    "T-VSS, table 1, as others quote it",
  ),
  "coapt": Table(
    "CoAPT, ViT-B/32 (secondary)",
    "PGD-100, linf; prompts and images are not told",
    "CoAPT, tables 2 and 3, as others quote them",
  ),
  "leaf": Table(
    "LEAF, ViT-L/14 (secondary)",
    "1,000 examples; the attack is not told",
    "arXiv:2506.03355, as others quote it",
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
  return list(_read().get((name, data), ()))


@functools.cache
def _read() -> dict[tuple[str, str], list[Accuracy]]:
  found: dict[tuple[str, str], list[Accuracy]] = {}
  with tables.path("published_robust_accuracies.csv").open() as file:
    for row in csv.DictReader(file):
      epsilon = "clean" if row["epsilon"] == "0" else row["epsilon"]
      entry = Accuracy(row["model"], epsilon, float(row["accuracy"]) / 100)
      found.setdefault((row["table"], row["data"]), []).append(entry)
  return found


# The last parts of the names, or of the paths, by which `models.load` takes the weights of a line;
# other lines are called as their weights are. "CLIP" is another one in each table.
_CLIP = {
  "fare": ("clip-vit-large-patch14",),
  "tecoa": ("clip-vit-base-patch32",),
  "tga-zsr": ("clip-vit-base-patch32",),
}
_WEIGHTS = {
  "CLIP RN50": ("RN50.pt", "open_clip:RN50/openai"),
  "CLIP ViT-B/32": ("clip-vit-base-patch32",),
  "CLIP ViT-B/16": ("clip-vit-base-patch16",),
  "CLIP ViT-L/14": ("clip-vit-large-patch14",),
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
  entries = [entry for entry in accuracies(name, data) if weights in _weights(name, entry.model)]
  return (
    (entries[0].model, {entry.epsilon: entry.accuracy for entry in entries}) if entries else None
  )


def _weights(name: str, line: str) -> tuple[str, ...]:
  return _CLIP.get(name, ()) if line == "CLIP" else _WEIGHTS.get(line, (line,))
