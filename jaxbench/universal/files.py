"""Files of universal perturbations: our own, and those of X-Transfer's collection.

A folder has `model.safetensors` and `config.json`. The tensors tell the kind: `delta` within a
radius of linf, `delta_param` whose tanh is added without one (trained with an l2 penalty), and
AdvCLIP's `uap`, that replaces a square of 3 % of the image.
"""

import dataclasses
import hashlib
import json
import math
import pathlib
from collections.abc import Sequence
from typing import Any

import huggingface_hub
import jax.numpy as jnp
import numpy as np
from safetensors import SafetensorError
from safetensors import numpy as safetensors

from jaxbench import data, errors
from jaxbench.storage import atomic
from jaxbench.universal.perturbation import L2, LINF, PATCH, Universal

_WEIGHTS, _CONFIG = "model.safetensors", "config.json"
_SHARE = 0.03  # Of the image, that AdvCLIP's patch covers,
_MARGIN = 14  # and its distance from the right and the lower edge, of 224 pixels.
_USUAL = 12 / 255  # The radius that X-Transfer's class has where none is told.
EMBEDDED = {"digits-universal": pathlib.Path(__file__).with_name("digits")}


def load(place: str, *, download: bool = False) -> Universal:
  """Reads a perturbation.

  Args:
    place: "digits-universal", which comes with the package; a folder; or a repository of the hub.
    download: fetch one that is not on this disk.

  Raises:
    InputError: it is not there, or not such a perturbation.
  """
  folder = folder_of(place, download=download)
  tensors, told = _read(folder)
  for name, read in _KINDS.items():
    if name in tensors:
      delta = np.asarray(tensors[name], np.float32)
      delta = delta[0].transpose(1, 2, 0) if delta.ndim == 4 and len(delta) == 1 else delta
      if delta.ndim != 3 or delta.shape[0] != delta.shape[1] or delta.shape[2] != 3:
        raise errors.InputError(f"{folder}: {name} has shape {delta.shape}, not side x side x 3")
      if not np.isfinite(delta).all():
        raise errors.InputError(f"{folder}: {name} holds values that are no numbers")
      return read(delta, told, folder)
  raise errors.InputError(
    f"{folder / _WEIGHTS} holds {', '.join(tensors)}, and no {' or '.join(_KINDS)}"
  )


def folder_of(place: str, *, download: bool = False) -> pathlib.Path:
  """Where a perturbation lies; see `load`."""
  if place in EMBEDDED:
    return EMBEDDED[place]
  folder = pathlib.Path(place).expanduser()
  if folder.is_dir():
    return folder
  if place.count("/") != 1 or place.startswith((".", "~", "/")):
    raise errors.InputError(f"universal perturbation {place}: no such folder")
  try:
    return pathlib.Path(huggingface_hub.snapshot_download(place, local_files_only=not download))
  except (OSError, ValueError) as error:
    raise errors.InputError(
      f"universal perturbation {place}: neither a folder nor in the Hugging Face cache; to fetch "
      "it, say download=True (--config.download=True)"
    ) from error


def digest(place: str, *, download: bool = False) -> str:
  """SHA-256 of a perturbation's tensors, in hexadecimal."""
  folder = folder_of(place, download=download)
  try:
    return hashlib.sha256((folder / _WEIGHTS).read_bytes()).hexdigest()
  except OSError as error:
    raise errors.InputError(f"{folder / _WEIGHTS}: {error.strerror}") from error


def save(perturbation: Universal, folder: pathlib.Path) -> None:
  """Writes `model.safetensors` and `config.json`, as `load` reads them.

  Raises:
    InputError: it is no perturbation within a radius of linf.
  """
  if perturbation.norm != LINF:
    raise errors.InputError("what is learnt here is within a radius of linf")
  folder.mkdir(parents=True, exist_ok=True)
  content = safetensors.save({"delta": np.asarray(perturbation.delta)})
  atomic.write(folder / _WEIGHTS, content)
  told = {"epsilon": perturbation.epsilon, **perturbation.told}
  atomic.write(folder / _CONFIG, json.dumps(told, sort_keys=True).encode())


def _read(folder: pathlib.Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
  try:
    tensors = safetensors.load_file(folder / _WEIGHTS)
    config = folder / _CONFIG
    told = json.loads(config.read_text()) if config.exists() else {}
  except (OSError, ValueError, SafetensorError) as error:
    raise errors.InputError(
      f"{folder} holds no universal perturbation ({_WEIGHTS}, {_CONFIG}): {errors.reason(error)}"
    ) from error
  return tensors, told if isinstance(told, dict) else {}


def _linf(delta: np.ndarray, told: dict[str, Any], folder: pathlib.Path) -> Universal:
  epsilon = told.pop("epsilon", _USUAL)
  if not (isinstance(epsilon, float | int) and 0 < epsilon <= 1):
    raise errors.InputError(
      f"{folder}: epsilon {epsilon!r} is not in (0, 1]: pixels go from 0 to 1"
    )
  cut = np.clip(delta, -epsilon, epsilon)
  return Universal(jnp.asarray(cut), None, float(epsilon), LINF, told)


def _l2(delta: np.ndarray, told: dict[str, Any], folder: pathlib.Path) -> Universal:
  del folder
  return Universal(jnp.tanh(jnp.asarray(delta)), None, None, L2, told)


def _patch(delta: np.ndarray, told: dict[str, Any], folder: pathlib.Path) -> Universal:
  """AdvCLIP's square, which its code places anew from the size of the image."""
  if delta.shape[0] != 224:
    raise errors.InputError(f"{folder}: AdvCLIP's patch is known for 224 pixels, not {delta.shape}")
  side = int(math.sqrt(_SHARE * delta.shape[0] * delta.shape[1]))
  last = delta.shape[0] - _MARGIN
  mask = np.zeros((*delta.shape[:2], 1), np.float32)
  mask[last - side : last, last - side : last] = 1
  inside = np.clip(delta, 0, 1)  # Its code clips images with it.
  return Universal(jnp.asarray(inside), jnp.asarray(mask), None, PATCH, told)


# The first that fits: AdvCLIP's files have a delta too, which is never used.
_KINDS = {"uap": _patch, "delta_param": _l2, "delta": _linf}


def refuse_learnt(perturbation: Universal, source: data.Source, ids: Sequence[str]) -> None:
  """Raises InputError if some of the examples `ids` of a set have been learnt from."""
  learnt = perturbation.told.get("learnt_from", {})
  seen = set(learnt.get("ids", ()))
  common = [one for one in ids if one_way(one) in seen]
  # Other sets may have examples of these names; to know reads all of them.
  if common and learnt["data"] == source.sha256:
    raise errors.InputError(
      f"the perturbation was learnt from {len(common)} of these images, {common[0]} among them: "
      "evaluate it on others"
    )


def one_way(example: str) -> str:
  """A short hash of an example's id."""
  return hashlib.sha256(example.encode()).hexdigest()[:12]


def with_source(perturbation: Universal, source: str, ids: list[str]) -> Universal:
  """Says which examples of which set (its SHA-256) it was learnt from."""
  learnt = {"data": source, "ids": sorted(map(one_way, ids))}
  return dataclasses.replace(perturbation, told=perturbation.told | {"learnt_from": learnt})
