"""Files of torch: state dicts, and training checkpoints that hold one."""

import pathlib
import pickle
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any

import ml_dtypes
import numpy as np

from jaxbench import errors

_NESTED = 2  # How deep training checkpoints hold a network: {"ema": {"module": {...}}}.


def read(path: pathlib.Path) -> dict[str, Any]:
  """Tensors of torch by name, of a .pt, .pth or .bin; no code in it is run.

  Raises:
    InputError: torch is not there, or the file is truncated, wants to run code, or holds none.
  """
  archive = zipfile.is_zipfile(path)
  if archive and any("/code/" in name for name in zipfile.ZipFile(path).namelist()):
    raise errors.InputError(
      f"{path}: a TorchScript archive, which holds code and is not run; write its weights with "
      "`torch.save(torch.jit.load(SRC, 'cpu').state_dict(), DST)` and load that"
    )
  try:
    import torch  # Optional, and slow to import.
  except ImportError as error:
    raise errors.InputError(
      f"{path}: needs torch to be read (pip install torch); .safetensors files do not"
    ) from error
  try:
    content = torch.load(path, map_location="cpu", weights_only=True, mmap=archive)
  except pickle.UnpicklingError as error:
    raise errors.InputError(
      f"{path}: a pickle that wants to run code, or no checkpoint of torch; it was not loaded"
    ) from error
  except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
    raise errors.InputError(f"{path}: truncated, or no checkpoint of torch ({error})") from error
  state = _only(path, content)
  if all(name.startswith("module.") for name in state):  # Trained on several devices.
    return {name.removeprefix("module."): tensor for name, tensor in state.items()}
  return dict(state)


def _only(path: pathlib.Path, content: Any) -> Mapping[str, Any]:
  """The state dict in what a file holds: training checkpoints nest one, or two.

  Raises:
    InputError: there is none, or it is not known which of several.
  """
  states = dict(_states(content, ""))
  if not states:
    raise errors.InputError(f"{path}: not a state dict, that is tensors by name")
  if len(states) > 1:
    last = list(states)[-1]
    raise errors.InputError(
      f"{path}: holds {len(states)} networks, {', '.join(states)}; write the one that you mean, as "
      f"in `torch.save(torch.load(SRC){last}, DST)`, and load that"
    )
  return next(iter(states.values()))


def _states(content: Any, place: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
  """State dicts and where they are: mappings of tensors, not all of which are single numbers."""
  if not isinstance(content, Mapping) or not all(isinstance(key, str) for key in content):
    return
  arrays = [value for value in content.values() if hasattr(value, "ndim")]
  if content and len(arrays) == len(content) and any(array.ndim for array in arrays):
    yield place, content
  elif place.count("[") < _NESTED:
    for key, value in content.items():
      yield from _states(value, f"{place}[{key!r}]")


def to_numpy(tensor: Any) -> np.ndarray:
  """A tensor of torch without a copy; bfloat16 as ml_dtypes has it."""
  if str(tensor.dtype) != "torch.bfloat16":
    return tensor.detach().numpy()
  import torch

  return tensor.detach().contiguous().view(torch.int16).numpy().view(ml_dtypes.bfloat16)
