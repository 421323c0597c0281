"""Bare tensors: a file without configuration, of an architecture that the user names."""

import math
import pathlib
from typing import Any

from jaxbench import errors
from jaxbench.models.architectures import Config, family
from jaxbench.models.family import HUGGINGFACE, OPEN_CLIP, TORCH_HUB
from jaxbench.models.weights import checkpoint, files, mapping, open_clip, origins
from jaxbench.models.weights.checkpoint import Checkpoint
from jaxbench.models.weights.files import Tensors
from jaxbench.models.weights.mapping import Renamings
from jaxbench.models.weights.origins import Origin
from jaxbench.models.weights.sidecar import Fields


def read(
  path: pathlib.Path, architecture: str | None, source: str, key: str | None = None, **stated: Any
) -> Checkpoint:
  """The checkpoint in the file `path`; `stated` are mean, std and preprocess where not None.

  Raises:
    InputError: no architecture is named, there is none of that name, it cannot come so, or its
      sources differ in what is not stated.
  """
  if architecture is None:
    raise errors.InputError(
      f"{path}: bare tensors do not tell activation, normalisation or preprocessing; name the "
      "architecture (architecture=..., on the command line `python -m jaxbench.models.convert "
      "SRC DST --architecture=...`) from models.list_models(); to a vision tower alone, its base: "
      "models.load(base, visual=...), base+tower in a run"
    )
  rows = origins.named(architecture)
  if any(getattr(row.config, "tokenizer", None) is not None for row in rows):
    raise errors.InputError(
      f"{path}: {architecture} needs the tokenizer that came with its weights; load the folder "
      "from Hugging Face, which holds both"
    )
  if stated.get("mean") is not None:
    stated["mean"] = Fields(path, {"mean": list(stated["mean"])}).triple("mean")
  if stated.get("std") is not None:
    stated["std"] = Fields(path, {"std": list(stated["std"])}).deviations("std")
  opened = files.open_tensors(path, key)
  fitting, renamings = _fitting(opened, rows)
  configs = origins.settle(fitting, **stated)
  if len(configs) > 1:
    shaped = {c: origin for c, origin in configs.items() if _has_shapes(opened, c, renamings)}
    configs = shaped or configs
  if len(configs) == 1:
    config = next(iter(configs))
    found = Checkpoint(config, path, [renamings], source, key=key)
    hub = family(config).torch_hub
    if hub is None or fitting[0].library != TORCH_HUB:
      return found
    antialias, offset = hub.antialias(config), hub.offset(config)
    return found._replace(resizes=True, antialias=antialias, offset=offset)
  names = list(dict.fromkeys(origin.name for origin in configs.values()))
  if not names:
    mute = "tensors of transformers do" if fitting[0].library == HUGGINGFACE else "timm does"
    raise errors.InputError(
      f"{path}: {mute} not tell how images come; load their folder, or say mean=, std= and "
      "preprocess="
    )
  raise errors.InputError(
    f"{path}: {architecture} may come from {', '.join(names[:4])}{'...' if names[4:] else ''}, "
    f"which differ in {origins.differing(list(configs))}; name the source, as in architecture="
    f"{names[0]!r}, or say mean=, std= and preprocess="
  )


def _fitting(opened: Tensors, rows: list[Origin]) -> tuple[list[Origin], Renamings]:
  """The rows of the library that keeps its tensors as the file does, and how that is.

  Raises:
    InputError: the file says that its tensors are OpenAI's, and no row is.
  """
  names = set(opened.names)
  if names >= open_clip.OPENAI:
    theirs = [row._replace(network=row.config) for row in rows if open_clip.is_quick(row.config)]
    if not theirs:
      raise errors.InputError(
        f"{opened.path}: holds {', '.join(sorted(open_clip.OPENAI))}, as OpenAI's weights do, and "
        f"{rows[0].name} is not one of them; name it as in architecture='open_clip/ViT-B-32.openai'"
      )
    rows = theirs

  def missing(choice: tuple[Origin, Renamings]) -> int:
    return mapping.missing(names, checkpoint.shapes(choice[0].network), choice[1])

  firsts = {row.library: row for row in reversed(rows)}
  order = list(dict.fromkeys(row.library for row in rows))
  choices = [
    (firsts[name], renamings)
    for name in order
    for renamings in _layouts(name, firsts[name].network)
  ]
  best, renamings = min(choices, key=missing)
  return [row for row in rows if row.library == best.library], renamings


def _has_shapes(opened: Tensors, config: Config, renamings: Renamings) -> bool:
  """Whether the tensors have as many elements as `config` says."""
  for name, spec in checkpoint.shapes(config).items():
    parts = mapping.source(name, renamings).names
    arrays = [opened.arrays[part] for part in parts if part in opened.arrays]
    if sum(math.prod(array.shape) for array in arrays) != spec.size:
      return False
  return True


def _layouts(library: str, config: Config) -> list[Renamings]:
  """How the tensors of a library's model may be named, best known first."""
  layouts = family(config).layouts(config)
  # open_clip's and OpenAI's models are handed on under the names of transformers, too.
  return [*layouts[library], *(layouts[HUGGINGFACE] if library == OPEN_CLIP else [])]
