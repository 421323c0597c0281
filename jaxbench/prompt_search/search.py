"""Searches prompts on images with labels, and writes them as files that any run can use.

`tokens.json` holds the prompts of the search, `soft.json` a learnt one, `start.json` the one that
both started from. Images are perturbed and embedded once; then only the text tower works.
"""

import contextlib
import dataclasses
import json
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from etils import epath

import jaxbench
from jaxbench import config, data, errors, models
from jaxbench.prompt_search import features
from jaxbench.storage import atomic
from jaxbench.telemetry.progress import Progress

_FILES = ("start.json", "tokens.json", "soft.json")


def run(settings: config.PromptSearch, workdir: epath.Path) -> None:
  """Writes `workdir/tokens.json`, `soft.json` and `start.json`, if they are not there yet.

  A search that was interrupted begins again: embedding the images is most of its work.

  Args:
    settings: as `config.checked_search` returns them.
    workdir: a new folder, or that of the same search.

  Raises:
    InputError: the folder holds something else, the model is no CLIP, or the images cannot be used,
      because prompts would be evaluated on them or for another reason.
  """
  if _finished(settings, workdir):
    return
  for name in settings.prompts:
    models.templates(name)  # An unknown one is told before the search, not after it.
  source, indices = _images(settings)
  description = models.describe(settings.model, download=settings.download)
  names, start = source.label_space.prompted, _start(settings, description, source)
  clip = models.load(settings.model)
  assert isinstance(clip, models.CLIP)  # Or `_start` has raised.
  classifier = models.zero_shot(clip, names, models.TokenPrompts((start,)))
  found = features.embed(classifier, clip.preprocess, source, indices, settings)
  task = models.prompt_task(clip, names, *found, length=len(start))
  searched = _search(task, start, settings)
  described = _describe(settings, description, [source.ids[index] for index in indices])
  workdir.mkdir(parents=True, exist_ok=True)
  _write(workdir / "start.json", {"prompts": [_prompt(searched.start)]})
  if settings.soft_steps:
    vectors = _learn(task, task.text.embed(jnp.array([start], jnp.int32))[0], settings)
    _write(workdir / "soft.json", {"prompts": [{"vectors": vectors.tolist()}], **described})
  # Last: with it the search is done.
  _write(workdir / "tokens.json", {**_searched(searched), **described})


def evaluation(settings: config.PromptSearch, workdir: epath.Path) -> config.Config:
  """What shows the prompts of `workdir` beside others on the held-out images."""
  files = _FILES if settings.soft_steps else _FILES[:-1]
  return config.Config(
    models=(settings.model,),
    download=settings.download,
    data=(settings.held_out,),
    data_root=settings.data_root,
    prompts=(*settings.prompts, *(str(workdir / file) for file in files)),
    corruptions=config.Corruptions(names=settings.corruptions, severities=settings.severities),
    attacks=config.Attacks(names=settings.attacks, epsilons=settings.epsilons),
    seed=settings.seed,
    slots=settings.slots,
  )


def _finished(settings: config.PromptSearch, workdir: epath.Path) -> bool:
  """Whether this search has been done in the folder."""
  if not workdir.exists() or not any(workdir.iterdir()):
    return False
  known = workdir / "tokens.json"
  if known.exists():
    asked = json.loads(json.dumps(dataclasses.asdict(settings)))
    if json.loads(known.read_text()).get("config") == asked:
      return True
  elif all(file.name.lstrip(".").startswith(_FILES) for file in workdir.iterdir()):
    return False  # It was interrupted.
  raise errors.InputError(f"--workdir={workdir} holds something else; name a new folder")


def _images(settings: config.PromptSearch) -> tuple[data.Source, list[int]]:
  """What is searched on, apart from what is held out."""
  source = data.load(settings.data, settings.data_root)
  data.check_classes(settings.data, source)
  indices = data.sample(source, settings.limit, settings.subset)
  if not indices:
    raise errors.InputError(f"{settings.data} has no images to search prompts on")
  if source.label_space.prompted_groups or data.has_several_labels(source):
    raise errors.InputError(
      f"{settings.data}: prompts are searched on images of one class each, as prompts call it"
    )
  if settings.held_out:
    held_out = data.load(settings.held_out, settings.data_root)
    if both := sorted({source.ids[index] for index in indices} & set(held_out.ids)):
      raise errors.InputError(
        f"{len(both)} of the {len(indices)} examples to search on are in --config.held_out, the "
        f"first is {both[0]!r}; ids must differ (they are paths inside a set)"
      )
  return source, indices


def _start(
  settings: config.PromptSearch, description: models.Description, source: data.Source
) -> tuple[int, ...]:
  """The ids of the first prompt; InputError if the model cannot read it before the class names."""
  shape = description.config
  if shape.supervised:
    raise errors.InputError(f"--config.model={settings.model} is a supervised model: no text tower")
  (ids,) = models.encode([settings.start])
  if not ids:
    raise errors.InputError("--config.start is empty: its tokens are where the search begins")
  names = source.label_space.prompted
  models.check_prompts(shape, names, models.TokenPrompts((tuple(ids),)))
  return tuple(ids)


def _search(
  task: models.Task, start: tuple[int, ...], settings: config.PromptSearch
) -> models.Search:
  with contextlib.closing(Progress(settings.iterations, 0, "iteration")) as progress:
    return models.search_prompts(
      task,
      start,
      candidates=settings.candidates,
      iterations=settings.iterations,
      keep=settings.ensemble,
      report=lambda step: progress.advance(f"{step.best.text!r}, loss {step.best.loss:.4f}"),
    )


def _learn(task: models.Task, start: jax.Array, settings: config.PromptSearch) -> np.ndarray:
  with contextlib.closing(Progress(settings.soft_steps, 0, "step")) as progress:
    vectors = models.learn_prompt(
      task,
      start,
      steps=settings.soft_steps,
      learning_rate=settings.soft_learning_rate,
      report=lambda loss: progress.advance(f"soft prompt, loss {loss:.4f}"),
    )
  return np.asarray(vectors)


def _describe(
  settings: config.PromptSearch, description: models.Description, ids: list[str]
) -> dict[str, Any]:
  """What the prompts were searched with."""
  return {
    "model": {"name": settings.model, "sha256": description.sha256},
    "data": {"name": settings.data, "ids": sorted(ids)},
    "seed": settings.seed,
    "jaxbench": jaxbench.__version__,
    "config": dataclasses.asdict(settings),
  }


def _searched(found: models.Search) -> dict[str, Any]:
  return {
    "prompts": [_prompt(one) for one in found.prompts],
    "converged": found.converged,
    "start": _prompt(found.start),
    "iterations": [
      {"position": step.position, "accepted": step.accepted, **_prompt(step.best)}
      for step in found.steps
    ],
  }


def _prompt(one: models.Scored) -> dict[str, Any]:
  return {**one._asdict(), "text": one.text}


def _write(file: epath.Path, content: dict[str, Any]) -> None:
  atomic.write(file, (json.dumps(content, indent=1) + "\n").encode())
  print(f"wrote {file}")
