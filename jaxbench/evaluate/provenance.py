"""What a run's files tell of it: what was asked, of what, and where it was computed."""

import dataclasses
import datetime
import itertools
import pathlib
import platform
from importlib import metadata
from typing import Any

import jaxbench
from jaxbench import config, devices, metrics, models
from jaxbench.plan import Plan, defending, prompting

_LIBRARIES = ("jax", "jaxlib", "flax", "numpy", "pillow")


def describe_run(settings: config.Config, plan: Plan) -> dict[str, Any]:
  """Everything known before a run. Two runs with equal "identity" have equal rows."""
  members = list(itertools.chain(*config.surrogates(settings).values()))
  names = list(dict.fromkeys([*settings.models, *(member.model for member in members)]))
  if settings.available:
    used = {cell.model for cell in plan.cells}
    used |= {member.model for cell in plan.cells for member in cell.perturbation.members}
    names = [name for name in names if name in used]
  spaces = {name: known.label_space for name, known in plan.data.items()}
  return {
    "identity": {
      "jaxbench": jaxbench.__version__,
      "config": models.told(_without_places(settings)),
      # With the hashes of photographs, paintings and weights that they are made with.
      "perturbations": _streams(plan),
      "models": {name: _described(name) for name in names},
      "prompts": {name: prompting.described(name, spaces) for name in config.prompt_sets(settings)},
      "data": {name: known.sha256 for name, known in plan.data.items()},
      "examples": {name: known.sample for name, known in plan.data.items()},
    },
    "published": list(settings.published),
    "flip_reference": _flip_reference(settings),
    "error_reference": settings.corruptions.error_reference,
    "data": {
      name: {
        "examples": known.examples,
        "class_names": list(known.class_names),
        "metric": known.label_space.metric,
        "subset": config.subset_on(settings, name),
      }
      for name, known in plan.data.items()
    },
    "cells": [cell.described for cell in plan.cells],
    "absent": [absent._asdict() for absent in plan.absent],
  }


def _flip_reference(settings: config.Config) -> dict[str, Any] | None:
  """Its name and, if it is no model of the run, what the file of that name holds."""
  asked = settings.corruptions.flip_reference
  if not asked:
    return None
  found = {} if asked in settings.models else metrics.read_flip_reference(asked)
  return {"name": asked, "table": {name: flips._asdict() for name, flips in found.items()}}


def _described(model: str) -> dict[str, Any]:
  """A model as it is described and, of one within defences, these."""
  name = defending.named(model)
  told = dataclasses.asdict(models.describe(name.base))
  return told | ({"defences": name.told} if name.defences else {})


def _without_places(settings: config.Config) -> config.Config:
  """What changes no row left out: where files lie, and what the report shows beside."""
  return dataclasses.replace(
    settings,
    data_root="",
    published=(),
    corruptions=dataclasses.replace(
      settings.corruptions, textures="", flip_reference="", error_reference=""
    ),
    stylization=dataclasses.replace(settings.stylization, weights="", paintings=""),
    attacks=dataclasses.replace(
      settings.attacks,
      targets=tuple(pathlib.PurePath(text).name for text in settings.attacks.targets),
    ),
  )


def _streams(plan: Plan) -> dict[str, list[str]]:
  """What each perturbation is in full, at all its settings."""
  found: dict[str, set[str]] = {}
  for cell in plan.cells:
    found.setdefault(cell.perturbation.text, set()).add(cell.perturbation.stream)
  return {name: sorted(streams) for name, streams in found.items()}


def describe_session() -> dict[str, Any]:
  """Where and when this process computes; "seconds" comes when it ends."""
  mesh = devices.mesh()
  return {
    "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    "seconds": None,
    "device": f"{mesh.size} x {mesh.devices.flat[0].device_kind}",
    "platform": f"{platform.system()} {platform.machine()}",
    "python": platform.python_version(),
    "libraries": {name: metadata.version(name) for name in _LIBRARIES},
  }
