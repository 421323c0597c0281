"""Images in the style of paintings (Stylized-ImageNet)."""

import dataclasses
import functools
from collections.abc import Iterator
from typing import ClassVar

from jaxbench import config, devices, spec, stylize
from jaxbench.attacks.engine import visibility
from jaxbench.blocks import Block
from jaxbench.plan.classifiers import Absent
from jaxbench.plan.perturbations import clean
from jaxbench.plan.perturbations.base import Evaluator, Judged, Perturbation, Target, everywhere
from jaxbench.records import kinds


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stylization(Perturbation):
  """Each image in the style of a painting that is drawn for it."""

  kind: ClassVar[str] = kinds.STYLIZATION
  field: ClassVar[str] = "stylization.weights"

  weights: str  # These are explained in `config.Stylization`.
  paintings: str

  def evaluate(self, evaluator: Evaluator, targets: list[Target], block: Block) -> Iterator[Judged]:
    """See `Perturbation`; the images do not fit the network, or a painting cannot be read."""
    network, paintings = _loaded(self.weights, self.paintings)
    chosen = paintings.choose(block.ids, evaluator.settings.seed)
    styles = paintings.load(chosen, block.images.shape[1])
    images = stylize.render(network, block.images, styles, evaluator.slots)
    rendered = dataclasses.replace(block, images=images)
    members = [target.member for target in targets]
    columns = evaluator.predict(clean.program(), None, members, rendered)
    visible = visibility.columns(block.images, images, evaluator.slots)
    yield from everywhere(targets, block, [one | visible for one in columns])


def wanted(settings: config.Config, absent: list[Absent]) -> Iterator[Stylization]:
  """It, where a config names weights."""
  del absent
  options = settings.stylization
  if options.weights:
    made_with = {
      "weights": stylize.sha256(options.weights),
      "paintings": stylize.Paintings(options.paintings).sha256,
    }
    yield Stylization(
      text="stylized",
      stream=spec.write("stylized", made_with),
      weights=options.weights,
      paintings=options.paintings,
    )


@functools.cache
def _loaded(weights: str, paintings: str) -> tuple[devices.Replicated, stylize.Paintings]:
  return devices.replicate(stylize.load(weights)), stylize.Paintings(paintings)
