"""Text sides of zero-shot classifiers, embedded once: kept beside the run, and with programs."""

import dataclasses
import hashlib
import io
import json
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from absl import logging
from etils import epath

from jaxbench import models
from jaxbench.storage import atomic

FOLDER = "heads"


class Heads:
  """Those of a run. A resumed run and a second host need no text tower.

  Args:
    workdir: of the run; what is there wins, so that all hosts have the same bits.
  """

  def __init__(self, workdir: epath.PathLike):
    folders = (epath.Path(workdir), _programs())
    self._folders = [folder / FOLDER for folder in folders if folder is not None]

  def zero_shot(
    self, model: Any, weights: str, class_names: Sequence[str], templates: Any
  ) -> models.ZeroShot:
    """As `models.zero_shot`.

    Args:
      model: a CLIP or its kin.
      weights: its hash.
      class_names: of the logits.
      templates: the prompts.
    """
    name = _address(weights, class_names, templates)
    places = [folder / name for folder in self._folders]
    found = next((text for file in places if (text := _read(file, class_names)) is not None), None)
    classifier = models.zero_shot(model, class_names, templates, text=found)
    first, *shared = places
    for file in shared:
      if not file.exists():
        _keep_if_possible(file, classifier)
    if first.exists() or _keep(first, classifier):
      return classifier
    # Another host has embedded it meanwhile.
    text = _read(first, class_names)
    return models.zero_shot(model, class_names, templates, text=text)


def _programs() -> epath.Path | None:
  """Where compiled programs are kept, if they are."""
  folder = jax.config.values["jax_compilation_cache_dir"]
  return epath.Path(folder) if folder else None


def _address(weights: str, class_names: Sequence[str], templates: Any) -> str:
  """Of what decides a head, and of what rounds it."""
  device = jax.local_devices()[0].device_kind
  decisive = [weights, list(class_names), templates, jax.__version__, device]
  packed = json.dumps(decisive, default=dataclasses.asdict).encode()
  return f"{hashlib.blake2b(packed, digest_size=16).hexdigest()}.npy"


def _read(file: epath.Path, class_names: Sequence[str]) -> jax.Array | None:
  """float32 [D, K]; None if it is not there, or is damaged, which is logged."""
  try:
    text = np.load(io.BytesIO(file.read_bytes()), allow_pickle=False)
    if text.dtype != np.float32 or text.shape[1:] != (len(class_names),):
      raise ValueError(f"it holds {text.dtype} {list(text.shape)}")
    if not np.isfinite(text).all():
      raise ValueError("it is not finite")
  except FileNotFoundError:
    return None
  except (ValueError, EOFError) as error:
    logging.warning("%s is damaged (%s): its prompts are embedded anew", file, error)
    file.unlink(missing_ok=True)
    return None
  return jnp.asarray(text)


def _keep(file: epath.Path, classifier: models.ZeroShot) -> bool:
  """Whether the file has this head, and not another's."""
  buffer = io.BytesIO()
  np.save(buffer, np.asarray(classifier.text))
  file.parent.mkdir(parents=True, exist_ok=True)
  return atomic.create(file, buffer.getvalue())


def _keep_if_possible(file: epath.Path, classifier: models.ZeroShot) -> None:
  """As JAX does with programs, of a folder that may be another's."""
  try:
    _keep(file, classifier)
  except OSError as error:
    logging.warning("%s cannot be written (%s): prompts are not kept there", file, error)
