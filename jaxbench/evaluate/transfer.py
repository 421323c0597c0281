"""Transfer attacks: images made on a surrogate and judged by every target.

The surrogate never sees a target. Its images have its own resolution, the declared one, and models
of another resize them inside.
"""

import functools
from collections.abc import Callable, Iterator

import jax
import numpy as np
from flax import struct

from jaxbench import attacks, config, devices, errors
from jaxbench.attacks.engine import batching, next_run, verdict, view
from jaxbench.attacks.parts import norms
from jaxbench.evaluate import evaluator, pictures
from jaxbench.evaluate.blocks import Block
from jaxbench.plan import Cell


@struct.dataclass
class _Verdict:
  """Of one target; arrays [S]."""

  image: jax.Array  # [H, W, 3] float32: what was judged; the clean one, if that was outside.
  prediction: jax.Array  # [] int32, or `verdict.NOTHING`.
  distance: jax.Array  # [] float32, from the clean image, at the surrogate's resolution.


def attacked(
  judging: evaluator.Judge, cells: list[Cell], block: Block
) -> Iterator[tuple[Cell, np.ndarray, evaluator.Columns]]:
  """Makes images once and shows them to all targets, one batch after another.

  Args:
    judging: has the classifiers.
    cells: of different targets, alike in attack, surrogate and epsilon.
    block: of examples, at the surrogate's resolution.

  Yields:
    A cell, rows of the block, and their columns. What a target has wrong when clean is judged like
    the rest.

  Raises:
    InputError: the surrogate's logits are not numbers.
  """
  first, settings = cells[0], judging.settings
  cascade, surrogate = _attack(judging, first, block)
  members, program = len(first.members), _judge(cascade.attacks[0].norm)
  everything = evaluator.attackable(first.stream, first.epsilon, block, settings.seed, surrogate)
  size = settings.slots * devices.mesh().size
  for start in range(0, len(block.ids), size):
    rows = np.arange(start, min(start + size, len(block.ids)))
    examples = batching.Examples(*(array[rows] for array in everything))
    images, costs = _make(cascade, surrogate, examples, settings)
    shared: evaluator.Columns = {
      "steps": costs["steps"],
      "forwards": 1 + members * costs["forwards"],
      "backwards": members * costs["backwards"],
      "picture": pictures.keep(rows, block, {"image": images}.__getitem__),
    }
    arrays = (images, examples.images, examples.epsilons)
    for cell in cells:
      classifier = judging.classifier(cell.model, cell.prompts)
      (batch,) = devices.stream(program, classifier, arrays, settings.slots)
      found = batch.fetch()
      verdicts = {"prediction": found.prediction, "distance": found.distance}
      yield cell, rows, shared | verdicts | {"success": found.prediction != examples.labels}


def bisected(
  judging: evaluator.Judge, cell: Cell, block: Block, clean: np.ndarray
) -> tuple[np.ndarray, evaluator.Columns]:
  """The smallest epsilon, for each example, at which images made on the surrogate fool the target.

  As in `attacks.minimal_epsilon`, of which the target takes the verdicts.

  Args:
    judging: has the classifiers.
    cell: with a tolerance.
    block: of examples, at the surrogate's resolution.
    clean: int32 [N], the target's predictions on them as they are.

  Returns:
    Rows of the block that the target has right, and their columns; "distance" is infinite where
    nothing up to the cell's epsilon fooled.

  Raises:
    InputError: the surrogate's logits are not numbers.
  """
  assert cell.tolerance is not None
  settings, members = judging.settings, len(cell.members)
  cascade, surrogate = _attack(judging, cell, block)
  (attack,) = cascade.attacks
  program = _judge(attack.norm)
  target = judging.classifier(cell.model, cell.prompts)
  rows = np.flatnonzero(clean == block.labels)
  block_examples = evaluator.attackable(cell.stream, cell.epsilon, block, settings.seed, surrogate)
  everything = batching.Examples(*(array[rows] for array in block_examples))
  best, prediction = everything.images / np.float32(255), clean[rows].copy()
  low, high = np.zeros(len(rows), np.float32), np.full(len(rows), np.inf, np.float32)
  costs = {name: np.zeros(len(rows), np.int32) for name in ("steps", "forwards", "backwards")}
  epsilons, active = everything.epsilons.copy(), np.arange(len(rows))
  while len(active):
    some = batching.Examples(*(array[active] for array in everything))
    some = some._replace(epsilons=epsilons[active])
    images, spent = _make(cascade, surrogate, some, settings)
    arrays = (images, some.images, some.epsilons)
    batches = [batch.fetch() for batch in devices.stream(program, target, arrays, settings.slots)]
    found = jax.tree.map(lambda *parts: np.concatenate(parts), *batches)
    fooled = found.prediction != some.labels
    probed = low[active], high[active], some.epsilons, found.distance, fooled
    bracket = next_run.narrowed(*probed, attack, cell.tolerance, np)
    won = active[bracket.better]
    best[won], prediction[won] = found.image[bracket.better], found.prediction[bracket.better]
    low[active], high[active], epsilons[active] = bracket.low, bracket.high, bracket.probe
    costs["steps"][active] += spent["steps"]
    costs["forwards"][active] += 1 + members * spent["forwards"]
    costs["backwards"][active] += members * spent["backwards"]
    active = active[bracket.unsettled]
  costs["forwards"] += 1
  verdicts = {
    "prediction": prediction,
    "success": prediction != everything.labels,
    "distance": high,
  }
  kept = pictures.keep(rows, block, {"image": best}.__getitem__)
  return rows, costs | verdicts | {"picture": kept}


def _attack(
  judging: evaluator.Judge, cell: Cell, block: Block
) -> tuple[attacks.Cascade, devices.Replicated]:
  """The attack of a cell and its surrogate, which has been looked at."""
  cascade, surrogate = evaluator.cascade(cell), judging.surrogate(cell.members)
  if cell.members[0].prompts != config.EMBEDDING:  # The checks are for classifiers.
    judging.check(cell, cascade, surrogate, block)
  return cascade, devices.replicate(view.distinct(surrogate.tree()))


def _make(
  cascade: attacks.Cascade,
  surrogate: devices.Replicated,
  examples: batching.Examples,
  settings: config.Config,
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
  """Images [N, H, W, 3] and what they cost, whatever the surrogate thinks of them."""
  images = np.empty(examples.images.shape, np.float32)
  costs: dict[str, np.ndarray] = {}
  # The surrogate is nobody's judge: its images are made once, whatever becomes of its claims.
  how = batching.Settings(settings.slots, settings.attacks.quantize, surrogate=True)
  broken = 0
  for found in batching.attack(cascade, surrogate, [surrogate], examples, how, batching.Tally()):
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
  """A program (classifier, images, clean images, epsilons) -> verdicts of a target."""

  def look(
    classifier: attacks.Classifier,
    images: jax.Array,
    clean: jax.Array,
    epsilons: jax.Array,
  ) -> _Verdict:
    images, distance = verdict.inside(norm, images, attacks.as_float(clean), epsilons)
    return _Verdict(images, verdict.predict(classifier(images)), distance)

  return devices.shard(look)
