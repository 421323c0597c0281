"""Transfer attacks: images made on a surrogate and judged by every target.

The surrogate never sees a target. Its images have its own resolution, the declared one, and models
of another resize them inside.
"""

import functools
from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from jaxbench import attacks, config, devices, errors, judge, perturbations, spec
from jaxbench.attacks import engine, losses, norms, verdict
from jaxbench.block import Block
from jaxbench.plan import Cell


@struct.dataclass
class _Verdict:
  """Of one target; arrays [S]."""

  prediction: jax.Array  # [] int32.
  success: jax.Array  # [] bool: misclassified, inside the ball and [0, 1].
  distance: jax.Array  # [] float32, from the clean image, at the surrogate's resolution.


def attacked(
  judging: judge.Judge, cells: list[Cell], block: Block, clean: dict[Cell, np.ndarray]
) -> Iterator[tuple[Cell, np.ndarray, judge.Columns]]:
  """Makes images once and shows them to all targets, one batch after another.

  Args:
    judging: has the classifiers.
    cells: of different targets, alike in attack, surrogate and epsilon.
    block: of examples, at the surrogate's resolution.
    clean: int32 [N] for each cell, its predictions on them as they are.

  Yields:
    A cell, rows of the block, and their columns. What a target has wrong when clean counts as
    success, but it is judged like the rest.

  Raises:
    InputError: the surrogate's logits are not numbers.
  """
  first, settings = cells[0], judging.settings
  encodes = first.members[0].prompts == config.EMBEDDING
  resolved = perturbations.for_transfer(str(first.attack), encodes=encodes)
  cascade = attacks.cascade(spec.build(resolved))
  surrogate, members = judging.surrogate(first.members), len(first.members)
  if not encodes:  # The checks are for classifiers.
    judging.check(first, cascade, surrogate, block)
  program = _judge(cascade.attacks[0].norm)
  everything = judge.attackable(first, block, settings.seed)
  size = settings.slots * devices.mesh().size
  for start in range(0, len(block.ids), size):
    rows = np.arange(start, min(start + size, len(block.ids)))
    examples = engine.Examples(*(array[rows] for array in everything))
    images, costs = _make(cascade, surrogate, examples, settings)
    shared: judge.Columns = {
      "steps": costs["steps"],
      "forwards": 1 + members * costs["forwards"],
      "backwards": members * costs["backwards"],
      "picture": judge.keep_pictures(rows, block, {"image": images}.__getitem__),
    }
    arrays = (images, examples.images, examples.labels, examples.epsilons)
    for cell in cells:
      classifier = judging.classifier(cell.model, cell.prompts)
      (batch,) = devices.stream(program, classifier, arrays, settings.slots)
      found = batch.fetch()
      wrong = clean[cell][rows] != examples.labels
      verdicts = {"prediction": found.prediction, "distance": found.distance}
      yield cell, rows, shared | verdicts | {"success": found.success | wrong}


def _make(
  cascade: attacks.Cascade,
  surrogate: devices.Replicated,
  examples: engine.Examples,
  settings: config.Config,
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
  """Images [N, H, W, 3] and what they cost, whatever the surrogate thinks of them."""
  images = np.empty(examples.images.shape, np.float32)
  costs: dict[str, np.ndarray] = {}
  how = engine.Settings(settings.slots, settings.attacks.quantize)
  broken = 0
  for found in engine.attack(cascade, surrogate, surrogate, examples, how, engine.Tally()):
    images[found.rows] = found.fetch("image")
    broken += int((~np.isfinite(found.fetch("logits"))).any(axis=-1).sum())
    for name, values in found.costs.items():
      costs.setdefault(name, np.zeros(len(images), np.int32))[found.rows] = values
  if broken:
    raise errors.InputError(
      f"the logits of its surrogate are not finite on {broken} of {len(images)} images"
    )
  costs["forwards"] -= 1  # The engine counts a look at the clean image; nobody took it.
  return images, costs


@functools.cache
def _judge(norm: norms.Norm) -> Callable[..., _Verdict]:
  """A program (classifier, images, clean images, labels, epsilons) -> verdicts of a target."""

  def look(
    classifier: attacks.Classifier,
    images: jax.Array,
    clean: jax.Array,
    labels: jax.Array,
    epsilons: jax.Array,
  ) -> _Verdict:
    logits = classifier(images)
    real, distance = verdict.inside(norm, images, attacks.as_float(clean), epsilons)
    return _Verdict(
      prediction=jnp.argmax(logits, axis=-1).astype(jnp.int32),
      success=real & jax.vmap(losses.fooled)(logits, labels),
      distance=distance,
    )

  return devices.shard(look)
