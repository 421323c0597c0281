"""The published weights of AdaIN: two files of a PyTorch port, or the same as safetensors."""

import os
import pathlib

import jax.numpy as jnp

from jaxbench import errors
from jaxbench.models.weights import files
from jaxbench.stylize.adain import AdaIN, Convolution

# Where the convolutions stand in the port's sequences of layers, and what they make of what.
_ENCODER = (0, 2, 5, 9, 12, 16, 19, 22, 25, 29)
_ENCODER_CHANNELS = (3, 3, 64, 64, 128, 128, 256, 256, 256, 256, 512)
_DECODER = (1, 5, 8, 11, 14, 18, 21, 25, 28)
_DECODER_CHANNELS = (512, 256, 256, 256, 256, 128, 128, 64, 64, 3)
_SUFFIXES = (".safetensors", ".pth")


def load(folder: str | os.PathLike[str]) -> AdaIN:
  """The network, from the files that https://github.com/naoto0804/pytorch-AdaIN publishes.

  Args:
    folder: holds `vgg_normalised` and `decoder`, each as `.safetensors` or `.pth` (which needs
      torch; no code in it is run).

  Raises:
    InputError: a file is missing or broken, or holds other tensors.
  """
  root = pathlib.Path(folder).expanduser()
  return AdaIN(
    encoder=_read(root, "vgg_normalised", _ENCODER, _ENCODER_CHANNELS),
    decoder=_read(root, "decoder", _DECODER, _DECODER_CHANNELS),
  )


def sha256(folder: str | os.PathLike[str]) -> str:
  """A hash of the two files in `folder`."""
  root = pathlib.Path(folder).expanduser()
  return files.sha256((_find(root, "vgg_normalised"), _find(root, "decoder")))


def _find(root: pathlib.Path, name: str) -> pathlib.Path:
  present = [file for suffix in _SUFFIXES if (file := root / f"{name}{suffix}").is_file()]
  if not present:
    raise errors.InputError(f"{root} holds neither {name}.safetensors nor {name}.pth")
  return present[0]


def _read(
  root: pathlib.Path, name: str, places: tuple[int, ...], channels: tuple[int, ...]
) -> tuple[Convolution, ...]:
  file = _find(root, name)
  tensors = files.open_tensors(file)
  convolutions = []
  for place, inputs, outputs in zip(places, channels[:-1], channels[1:], strict=True):
    side = 1 if (name, place) == ("vgg_normalised", 0) else 3
    shapes = {f"{place}.weight": (outputs, inputs, side, side), f"{place}.bias": (outputs,)}
    for tensor, shape in shapes.items():
      actual = tensors.read(tensor).shape if tensor in tensors.names else "nothing"
      if actual != shape:
        raise errors.InputError(f"{file}: {tensor} must be {shape}, not {actual}")
    kernel, bias = (jnp.asarray(tensors.read(tensor), jnp.float32) for tensor in shapes)
    convolutions.append(Convolution(kernel.transpose(2, 3, 1, 0), bias))
  return tuple(convolutions)
