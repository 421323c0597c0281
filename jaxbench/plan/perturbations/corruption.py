"""A common corruption at one severity, made on the devices: the same in a run and in files."""

import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from jaxbench import attacks, config, corruptions, data, devices, errors, spec
from jaxbench.blocks import Block
from jaxbench.plan.classifiers import Absent
from jaxbench.plan.perturbations import own
from jaxbench.plan.perturbations.base import Evaluator, Judged, Perturbation, Target, everywhere
from jaxbench.records import kinds


@dataclasses.dataclass(frozen=True, kw_only=True)
class Corruption(Perturbation):
  """One of ImageNet-C's, or of the four beside."""

  kind: ClassVar[str] = kinds.CORRUPTION
  field: ClassVar[str] = "corruptions.names"

  severity: int
  variant: str  # These are explained in `config.Corruptions`.
  im_round: str
  storage: str
  textures: str

  @classmethod
  def of(cls, name: str, severity: int, options: config.Corruptions) -> "Corruption":
    """As a config asks for it; its names and severities are not looked at.

    Raises:
      InputError: the name is unknown.
      NoTextures: frost has no photographs.
    """
    corruptions.check(name, options.variant, options.im_round, options.storage)
    constants = {"variant": options.variant}
    if corruptions.CORRUPTIONS[name].im_rounded:
      constants["im_round"] = options.im_round
    if corruptions.CORRUPTIONS[name].photographs:
      constants["textures"] = _digest(options.textures)
    return cls(
      text=name,
      stream=f"{spec.write(name, constants)}@{severity}",
      severity=severity,
      variant=options.variant,
      im_round=options.im_round,
      storage=options.storage,
      textures=options.textures,
    )

  @property
  def setting(self) -> str:
    """The severity."""
    return str(self.severity)

  @property
  def columns(self) -> dict[str, Any]:
    """See `Perturbation`."""
    return {"severity": self.severity}

  def hashed(self, settings: config.Config) -> dict[str, Any]:
    """How images are kept afterwards; the randomness is not drawn for it."""
    del settings
    return {"storage": self.storage}

  def inputs(self, size: tuple[int, int]) -> Any:
    """The first argument of `program`, for images of `size`, height and width."""
    textures = None
    if corruptions.CORRUPTIONS[self.text].photographs:
      textures = _textures(self.textures, self.variant, *size)
    return jnp.int32(self.severity), data.hash_id(self.stream), textures

  def program(self, seed: int) -> Callable[..., jax.Array]:
    """A sharded program (inputs, hashes of ids, images) -> float32 images, for all severities."""
    return self._stored(_corrupting(self.text, self.variant, self.im_round, seed))

  def _stored(self, corrupt: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    if self.storage == "none":
      return corrupt
    store, nothing = _storing(self.storage), devices.replicate(None)
    return lambda inputs, *arrays: store(nothing, corrupt(inputs, *arrays))

  def evaluate(self, evaluator: Evaluator, targets: list[Target], block: Block) -> Iterator[Judged]:
    """See `Perturbation`."""
    inputs = self.inputs(evaluator.shape(block))
    program = self.program(evaluator.settings.seed)
    name = f"{self.stream} {self.setting} {self.hashed(evaluator.settings)}"
    members = [target.member for target in targets]
    columns = evaluator.predict(program, inputs, members, block, name)
    yield from everywhere(targets, block, columns)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Own(Corruption):
  """A function of a user's file: (key, image [H, W, 3] in [0, 1], severity) -> the same."""

  function: Callable[..., jax.Array]

  @classmethod
  def each(cls, written: spec.Spec, options: config.Corruptions) -> Iterator["Own"]:
    """One at each severity that a config asks for.

    Raises:
      InputError: the function cannot be traced, or returns something else than an image.
    """
    function = functools.partial(written.call, **written.arguments)
    image = jax.ShapeDtypeStruct((32, 32, 3), jnp.float32)
    made = jax.eval_shape(function, jax.random.key(0), image, jnp.int32(1))
    if not (isinstance(made, jax.ShapeDtypeStruct) and made.shape == image.shape):
      raise errors.InputError(f"{written.text} returns {made}, and no image [H, W, 3]")
    for severity in options.severities:
      yield cls(
        text=written.text,
        stream=f"{written.full}@{severity}",
        severity=severity,
        variant=options.variant,
        im_round=options.im_round,
        storage=options.storage,
        textures=options.textures,
        function=function,
      )

  def inputs(self, size: tuple[int, int]) -> Any:
    """See `Corruption`."""
    del size
    return jnp.int32(self.severity), data.hash_id(self.stream), None

  def program(self, seed: int) -> Callable[..., jax.Array]:
    """See `Corruption`; what leaves [0, 1] is cut."""
    return self._stored(_mapped(self.function, seed))


def wanted(settings: config.Config, absent: list[Absent]) -> Iterator[Corruption]:
  """All that a config asks for; frost without its photographs becomes absent."""
  options = settings.corruptions
  for name in options.names:
    if written := own.find(name, "corruption"):
      yield from Own.each(written, options)
      continue
    try:
      yield from [Corruption.of(name, severity, options) for severity in options.severities]
    except corruptions.NoTextures as error:
      absent.append(Absent(name, str(error)))


def photographs(folder: str) -> str | None:
  """The hash of frost's photographs in a folder, or where they are by default; None of none."""
  try:
    return _digest(folder)
  except corruptions.NoTextures:
    return None


@functools.cache
def _storing(storage: str) -> Callable[..., jax.Array]:
  """Apart from the corruptions: compiled once, not with each of them."""
  keep = jax.vmap(functools.partial(corruptions.stored, storage=storage))
  return devices.shard(lambda _, images: keep(images), donate=(1,), network=False)


@functools.cache
def _corrupting(name: str, variant: str, im_round: str, seed: int) -> Callable[..., jax.Array]:
  def corrupt(inputs: tuple[Any, ...], examples: jax.Array, images: jax.Array) -> jax.Array:
    severity, hashed, textures = inputs
    corrupt_image = functools.partial(
      corruptions.corrupt,
      name=name,
      severity=severity,
      variant=variant,
      im_round=im_round,
      textures=textures,
    )
    keys = devices.example_keys(seed, hashed, examples)
    return jax.vmap(corrupt_image)(keys, attacks.as_float(images))

  return devices.shard(corrupt, network=False)


@functools.cache
def _mapped(function: Callable[..., jax.Array], seed: int) -> Callable[..., jax.Array]:
  def corrupt(inputs: tuple[Any, ...], examples: jax.Array, images: jax.Array) -> jax.Array:
    severity, hashed, _ = inputs
    keys = devices.example_keys(seed, hashed, examples)
    made = jax.vmap(function, (0, 0, None))(keys, attacks.as_float(images), severity)
    return jnp.clip(made, 0, 1).astype(jnp.float32)

  return devices.shard(corrupt, network=False)


@functools.cache
def _textures(folder: str, variant: str, height: int, width: int) -> corruptions.Textures:
  return corruptions.frost_textures(folder or None, variant=variant, height=height, width=width)


@functools.cache
def _digest(folder: str) -> str:
  """Of the photographs as they are read for 224 pixels, whatever the images' size."""
  return corruptions.frost_textures(folder or None).digest
