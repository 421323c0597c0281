"""Files of torch."""

import pathlib
import pickle
import zipfile
from typing import Any

import ml_dtypes
import numpy as np

from jaxbench import errors

# Numbers of numpy, as accuracies in training checkpoints are; numpy 1 had their maker elsewhere.
_SCALAR = np.float64(0).__reduce__()[0]
_NUMBERS: list[Any] = [
  _SCALAR,
  (_SCALAR, "numpy.core.multiarray.scalar"),
  np.dtype,
  *(type(np.dtype(kind)) for kind in (np.float32, np.float64, np.int64)),
]


def read(path: pathlib.Path) -> Any:
  """What a .pt, .pth or .bin holds, its tensors mapped; no code in it is run.

  Raises:
    InputError: torch is not there, or the file is truncated, or wants to run code.
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
    with torch.serialization.safe_globals(_NUMBERS):
      return torch.load(path, map_location="cpu", weights_only=True, mmap=archive)
  except pickle.UnpicklingError as error:
    raise errors.InputError(
      f"{path}: a pickle that wants to run code, or no checkpoint of torch; it was not loaded"
    ) from error
  except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
    raise errors.InputError(f"{path}: truncated, or no checkpoint of torch ({error})") from error


def to_numpy(tensor: Any) -> np.ndarray:
  """A tensor of torch without a copy; bfloat16 as ml_dtypes has it."""
  if str(tensor.dtype) != "torch.bfloat16":
    return tensor.detach().numpy()
  import torch

  return tensor.detach().contiguous().view(torch.int16).numpy().view(ml_dtypes.bfloat16)
