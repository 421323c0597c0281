"""Corrupted images made on the devices, the same ones in a run and in files."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxbench import attacks, config, corruptions, data, devices, spec


def stream(name: str, severity: int, asked: config.Corruptions) -> str:
  """What the randomness is drawn for; how images are kept afterwards is not part of it.

  Raises:
    InputError: a name is unknown, or frost has no photographs.
  """
  corruptions.check(name, asked.variant, asked.im_round, asked.storage)
  options = {"variant": asked.variant}
  if corruptions.CORRUPTIONS[name].im_rounded:
    options["im_round"] = asked.im_round
  if corruptions.CORRUPTIONS[name].photographs:
    options["textures"] = _digest(asked.textures)
  return f"{spec.write(name, options)}@{severity}"


def digest(folder: str) -> str | None:
  """Of the photographs in a folder, "" for the installed ones; None where they are not there."""
  try:
    return corruptions.frost_textures(folder or None).digest
  except corruptions.NoTextures:
    return None


def inputs(name: str, severity: int, asked: config.Corruptions, size: tuple[int, int]) -> Any:
  """The first argument of `program`, for images of `size`, height and width."""
  textures = None
  if corruptions.CORRUPTIONS[name].photographs:
    textures = _textures(asked.textures, asked.variant, *size)
  return jnp.int32(severity), data.hash_id(stream(name, severity, asked)), textures


def program(name: str, asked: config.Corruptions, seed: int) -> Callable[..., jax.Array]:
  """A sharded program (inputs, hashes of ids, images) -> float32 images, one for all severities."""
  corrupt = _corrupting(name, asked.variant, asked.im_round, seed)
  if asked.storage == "none":
    return corrupt
  store, nothing = _storing(asked.storage), devices.replicate(None)
  return lambda inputs, *arrays: store(nothing, corrupt(inputs, *arrays))


@functools.cache
def _storing(storage: str) -> Callable[..., jax.Array]:
  """Apart from the corruptions: compiled once, not with each of them."""
  keep = jax.vmap(functools.partial(corruptions.stored, storage=storage))
  return devices.shard(lambda _, images: keep(images), donate=(1,))


@functools.cache
def _corrupting(name: str, variant: str, im_round: str, seed: int) -> Callable[..., jax.Array]:
  def corrupt(inputs: tuple[Any, ...], examples: jax.Array, images: jax.Array) -> jax.Array:
    severity, hashed, textures = inputs
    one = functools.partial(
      corruptions.corrupt,
      name=name,
      severity=severity,
      variant=variant,
      im_round=im_round,
      textures=textures,
    )
    return jax.vmap(one)(devices.example_keys(seed, hashed, examples), attacks.as_float(images))

  return devices.shard(corrupt)


@functools.cache
def _textures(folder: str, variant: str, height: int, width: int) -> corruptions.Textures:
  return corruptions.frost_textures(folder or None, variant=variant, height=height, width=width)


@functools.cache
def _digest(folder: str) -> str:
  """Of the photographs as they are read for 224 pixels, whatever the images' size."""
  return corruptions.frost_textures(folder or None).digest
