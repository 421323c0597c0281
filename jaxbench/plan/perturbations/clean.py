"""Images as they are."""

import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import jax

from jaxbench import attacks, config, devices
from jaxbench.blocks import Block
from jaxbench.plan.classifiers import Absent
from jaxbench.plan.perturbations.base import Evaluator, Judged, Perturbation, Target, everywhere
from jaxbench.records import kinds


@dataclasses.dataclass(frozen=True, kw_only=True)
class Clean(Perturbation):
  """Nothing is done; every run has it."""

  kind: ClassVar[str] = kinds.CLEAN
  field: ClassVar[str] = ""

  def evaluate(self, evaluator: Evaluator, targets: list[Target], block: Block) -> Iterator[Judged]:
    """See `Perturbation`: that has been done already."""
    yield from everywhere(targets, block, [target.clean for target in targets])


def wanted(settings: config.Config, absent: list[Absent]) -> Iterator[Clean]:
  """It, whatever is asked."""
  del settings, absent
  yield Clean(text="clean", stream="clean")


@functools.cache
def program() -> Callable[..., jax.Array]:
  """A sharded program (None, anything [N, ...], images [N, H, W, 3]) -> the images as float32."""

  def clean(_: None, examples: jax.Array, images: jax.Array) -> Any:
    del examples
    return attacks.as_float(images)

  return devices.shard(clean, network=False)
