"""What all kinds of adversarial attack share: the attack, built, and how examples enter it."""

import dataclasses
import functools
from typing import Any

import jax
import numpy as np

from jaxbench import attacks, config, data, devices, errors, spec
from jaxbench.attacks.engine import batching, view, visibility
from jaxbench.blocks import Block, pictures
from jaxbench.plan.classifiers import Classifier, Surrogate
from jaxbench.plan.perturbations import own
from jaxbench.plan.perturbations.base import Columns, Perturbation
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
    InputError: it is unknown, or a function of one's own that makes none.
  """
  resolved = own.find(text, "attack") or spec.resolve(text, attacks.ATTACKS, "attack")
  attack = spec.build(resolved)
  if not isinstance(attack, (attacks.Attack, attacks.Cascade)):
    raise errors.InputError(f"{resolved.text} is {type(attack).__name__}, and no attacks.Attack")
  return resolved, attacks.cascade(attack)


def without_draws(cascade: attacks.Cascade, searched: Classifier | Surrogate) -> str | None:
  """Why an attack cannot search a model, or None: several draws of the same are the same."""
  if cascade.draws == 1 or searched.random:
    return None
  return "its several draws are for randomised models, which it is not; give it none"


def norm_of(attack: attacks.Attack, epsilon: float) -> str:
  """The name of its norm, of which `epsilon` has to be a radius."""
  norm = attacks.norm_name(attack.norm)
  if norm == "linf" and epsilon > 1:
    raise config.not_in_pixels()
  return norm


def attackable(
  stream: str,
  epsilon: float,
  block: Block,
  seed: int,
  searcher: devices.Replicated,
  cases: np.ndarray | None = None,
) -> batching.Examples:
  """The examples of a block as the engine takes them, each with its own randomness of `stream`.

  `cases` [N] are what the searcher knows them by, where that is not their labels.
  """
  words = example_words(stream, block, seed)
  labels = view.searched(searcher.tree(), block.labels if cases is None else cases)
  epsilons = np.full(len(block.ids), epsilon, np.float32)
  return batching.Examples(words, block.images, block.labels, labels, epsilons)


def example_words(stream: str, block: Block, seed: int) -> np.ndarray:
  """uint32 [N, 2]: the data of a key of `stream` for each example."""
  return np.asarray(_words(seed, data.hash_id(stream), block.hashes))


@functools.partial(jax.jit, static_argnums=0)
def _words(seed: int, stream: jax.Array, examples: jax.Array) -> jax.Array:
  return jax.random.key_data(devices.example_keys(seed, stream, examples))


def most_passes(cascade: attacks.Cascade, *, bisected: bool, probes: int = 1) -> tuple[int, int]:
  """Forward and backward passes for one example, the look at the clean image included."""
  forwards, backwards = 1, 0
  for written in cascade.attacks:
    attack = attacks.as_run(written, bisected=bisected)
    steps = attack.steps * attack.runs * probes
    forwards += 1 + attack.forwards * steps
    backwards += attack.backwards * steps
  return forwards, backwards


def harvested(
  cascade: attacks.Cascade, harvest: batching.Harvest, rows: np.ndarray, block: Block
) -> Columns:
  """What an attack has found at `rows` of a block, of final ones and others."""
  shown = ("psnr", "ssim") if visibility.has_windows(block.images.shape) else ("psnr",)
  columns: Columns = {
    name: harvest.fetch(name) for name in ("prediction", "distance", *shown)
  } | harvest.costs
  stage = cascade.names[harvest.stage]
  columns["found_by"] = [stage if success else None for success in harvest.success]
  kept = pictures.keep(rows, block, harvest.fetch)
  return columns | {"success": harvest.success, "picture": kept}


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


def untouched(block: Block, clean: Columns, rows: np.ndarray) -> Columns:
  """What stands for an attack where the clean image is misclassified.

  Args:
    block: of examples.
    clean: the target's answers to them, [N].
    rows: of both.
  """
  none = np.zeros(len(rows), np.int32)
  costs = {"steps": none, "forwards": none + 1, "backwards": none, "refuted": none}
  kept = pictures.keep(rows, block, lambda _: block.images[rows] / np.float32(255))
  verdicts = {"success": none == 0, "distance": none.astype(np.float32)}
  answers = {name: column[rows] for name, column in clean.items()}
  return costs | verdicts | answers | {"picture": kept}


def right(votes: np.ndarray | None, labels: np.ndarray) -> Columns:
  """The column of a randomised model, whose votes are [N, R]; none of another's."""
  return (
    {} if votes is None else {"right": (votes == labels[:, None]).mean(axis=1, dtype=np.float32)}
  )
