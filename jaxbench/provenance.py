"""What a run's `run.json` tells: what was asked, of what, and where it was computed."""

import dataclasses
import datetime
import itertools
import platform
from importlib import metadata
from typing import Any

import jaxbench
from jaxbench import config, corrupted, data, devices, metrics, models, stylize
from jaxbench.plan import Plan

_LIBRARIES = ("jax", "jaxlib", "flax", "numpy", "pillow")


def describe_run(settings: config.Config, plan: Plan) -> dict[str, Any]:
  """Everything known before a run. Two runs with equal "identity" have equal rows."""
  sources = {name: data.load(name, settings.data_root) for name in settings.data}
  samples = {
    name: data.sample(source, settings.limit, settings.subset) for name, source in sources.items()
  }
  members = list(itertools.chain(*config.surrogates(settings).values()))
  names = dict.fromkeys([*settings.models, *(member.model for member in members)])
  return {
    "identity": {
      "jaxbench": jaxbench.__version__,
      "config": dataclasses.asdict(_without_places(settings)),
      "frost": corrupted.digest(settings.corruptions),
      "style": _style(settings.stylization),
      "models": {name: dataclasses.asdict(models.describe(name)) for name in names},
      "prompts": {name: models.templates(name) for name in config.prompt_sets(settings)},
      "data": {name: source.sha256 for name, source in sources.items()},
      "examples": {name: data.hash_sample(sources[name], some) for name, some in samples.items()},
    },
    "published": list(settings.published),
    "flip_reference": _flip_reference(settings),
    "data": {
      name: {"examples": len(source), "class_names": list(source.class_names)}
      for name, source in sources.items()
    },
    "cells": [
      dataclasses.asdict(cell) | {"id": cell.id, "setting": cell.setting} for cell in plan.cells
    ],
    "absent": [absent._asdict() for absent in plan.absent],
    "sessions": [],
  }


def _flip_reference(settings: config.Config) -> dict[str, Any] | None:
  """Its name and, if it is no model of the run, what the file of that name holds."""
  asked = settings.corruptions.flip_reference
  if not asked:
    return None
  found = {} if asked in settings.models else metrics.read_flip_reference(asked)
  return {"name": asked, "table": {name: flips._asdict() for name, flips in found.items()}}


def _without_places(settings: config.Config) -> config.Config:
  """What changes no row left out: where files lie, and what the report shows beside."""
  return dataclasses.replace(
    settings,
    data_root="",
    published=(),
    corruptions=dataclasses.replace(settings.corruptions, textures="", flip_reference=""),
    stylization=dataclasses.replace(settings.stylization, weights="", paintings=""),
  )


def _style(asked: config.Stylization) -> dict[str, str] | None:
  if not asked.weights:
    return None
  return {
    "weights": stylize.sha256(asked.weights),
    "paintings": stylize.Paintings(asked.paintings).sha256,
  }


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
