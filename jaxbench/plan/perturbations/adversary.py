"""What all kinds of adversarial attack share: the attack, built, and how examples enter it."""

import dataclasses
import functools
from typing import Any

import jax
import numpy as np

from jaxbench import attacks, config, data, devices, errors, spec
from jaxbench.attacks.engine import batching, view
from jaxbench.blocks import Block, pictures
from jaxbench.plan.perturbations.base import (
  Columns,
  Perturbation,
)
from jaxbench.records import wording


@dataclasses.dataclass(frozen=True, kw_only=True)
class Adversary(Perturbation):
  """An attack at one epsilon, or up to one."""

  attack: str  # Its canonical spec.
  cascade: attacks.Cascade
  norm: str
  epsilon: float  # In [0, 1] pixel units.
  one_label: bool = True

  @property
  def setting(self) -> str:
    """The epsilon."""
    return wording.format_epsilon(self.epsilon)

  @property
  def columns(self) -> dict[str, Any]:
    """See `Perturbation`."""
    return {"epsilon": self.epsilon}

  @property
  def described(self) -> dict[str, Any]:
    """See `Perturbation`."""
    return {"attack": self.attack, "norm": self.norm}

  def hashed(self, settings: config.Config) -> dict[str, Any]:
    """See `Perturbation`."""
    return {
      "epsilon": self.epsilon,
      "quantize": settings.attacks.quantize,
      "search_dtype": settings.attacks.search_dtype,
      "tolerance": None,
    }


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bisected(Adversary):
  """A search for the smallest epsilon that fools, up to one."""

  tolerance: float  # In [0, 1] pixel units.

  @property
  def columns(self) -> dict[str, Any]:
    """See `Perturbation`."""
    return super().columns | {"tolerance": self.tolerance}

  def hashed(self, settings: config.Config) -> dict[str, Any]:
    """See `Perturbation`."""
    return super().hashed(settings) | {"tolerance": self.tolerance}


def resolve(text: str) -> tuple[spec.Spec, attacks.Cascade]:
  """An attack of a config, and what it is built to.

  Raises:
    InputError: it is unknown, or cannot be run from a config.
  """
  resolved = spec.resolve(text, attacks.ATTACKS, "attack")
  cascade = attacks.cascade(spec.build(resolved))
  if cascade.draws > 1:
    raise errors.InputError(
      f"{resolved.text} is for randomised classifiers, which take a key; the models of a config "
      "do not: call attacks.run on yours"
    )
  return resolved, cascade


def norm_of(attack: attacks.Attack, epsilon: float) -> str:
  """The name of its norm, of which `epsilon` has to be a radius."""
  norm = attacks.norm_name(attack.norm)
  if norm == "linf" and epsilon > 1:
    raise config.not_in_pixels()
  return norm


def attackable(
  stream: str, epsilon: float, block: Block, seed: int, searcher: devices.Replicated
) -> batching.Examples:
  """The examples of a block as the engine takes them, each with its own randomness of `stream`."""
  words = _words(seed, data.hash_id(stream), block.hashes)
  labels = view.searched(searcher.tree(), block.labels)
  epsilons = np.full(len(block.ids), epsilon, np.float32)
  return batching.Examples(np.asarray(words), block.images, block.labels, labels, epsilons)


@functools.partial(jax.jit, static_argnums=0)
def _words(seed: int, stream: jax.Array, examples: jax.Array) -> jax.Array:
  return jax.random.key_data(devices.example_keys(seed, stream, examples))


def where_fooled(columns: Columns) -> Columns:
  """The columns, in which only what fooled is told to be visible: nothing else was looked for."""
  return columns | {
    name: [
      value if fooled else None
      for value, fooled in zip(columns[name], columns["success"], strict=True)
    ]
    for name in ("psnr", "ssim")
    if name in columns
  }


def untouched(block: Block, clean: np.ndarray, rows: np.ndarray) -> Columns:
  """What stands for an attack where the clean image is misclassified."""
  none = np.zeros(len(rows), np.int32)
  costs = {"steps": none, "forwards": none + 1, "backwards": none, "refuted": none}
  kept = pictures.keep(rows, block, lambda _: block.images[rows] / np.float32(255))
  verdicts = {"prediction": clean[rows], "success": none == 0, "distance": none.astype(np.float32)}
  return costs | verdicts | {"picture": kept}
