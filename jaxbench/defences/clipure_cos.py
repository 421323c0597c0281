"""CLIPure-Cos (Zhang et al., ICLR 2025, arXiv:2502.18176), and what its loop does.

A step adds 30 times the direction in which the cosine to a blank text rises, and normalises. Seen
in the plane of features and text, which the loop never leaves, that is a turn by arctan(30) = 88.1
degrees towards the text. Features that are nearer than that, at a cosine above .034 (.15 to .3 are
those of published CLIPs), are turned past it, and by the next step turned back by as much: after an
even number of steps, and ten are published, they are those that came in, and predictions are those
of the CLIP inside. What fools that fools this. Others end 176 degrees from where they were.

What changes are derivatives. The published attack takes the directions for constants, and then each
step divides the gradient by sqrt(901): by 6e14 after ten, and about keeps its direction. An encoder
in half precision, whose smallest number is 6e-8, makes a zero of it; one in float32 or bfloat16,
with its wide exponent, does not. `compat="official"` has these derivatives; "exact" ones have the
size of the undefended model's. That is our reproduction, in tests/defences/clipure_cos_test.py: on
the digits CLIP (whose cosines go from -.3 to .5; of those above .05) and on a random ViT, each in
float32 and in bfloat16.

CLIPure-Diff, the other half of the paper, needs the prior of DALL-E 2 and is not built here.
"""

from typing import Any

import jax
from flax import struct

from jaxbench.defences import base
from jaxbench.defences.base import Cost, Defence


@struct.dataclass
class CLIPureCos(Defence):
  """Turns the features towards a blank text before they are compared with classes."""

  blank: jax.Array  # [D] float32: the text embedding of prompts without a name.
  steps: int = struct.field(pytree_node=False)
  step: float = struct.field(pytree_node=False)
  constant: bool = struct.field(pytree_node=False)  # Directions are constants to derivatives.

  def one(self, image: jax.Array, key: jax.Array) -> jax.Array:
    """See `Defence`."""
    del key
    features = base.directed(self.encoded(image))
    purified = self.purified(features)
    if self.backward == "bpda":
      purified = base.with_gradient_of(features, purified)
    return self.classified(purified)

  def purified(self, features: jax.Array) -> jax.Array:
    """[D] -> [D], unit vectors."""
    blank = base.directed(self.blank)

    def turn(point: jax.Array, _: None) -> tuple[jax.Array, None]:
      towards = jax.grad(lambda point: base.directed(point) @ blank)(point)
      towards = base.directed(towards)
      if self.constant:
        towards = jax.lax.stop_gradient(towards)
      return base.directed(point + self.step * towards), None

    return jax.lax.scan(turn, features, None, length=self.steps)[0]

  @property
  def passes(self) -> Cost:
    """See `Defence`."""
    return Cost(1)


def clipure_cos(
  classifier: Any,
  blank: jax.Array,
  *,
  steps: int = 10,
  step: float = 30.0,
  backward: str = "exact",
  compat: str = "clean",
  seed: int = 0,
) -> CLIPureCos:
  """Steps of the features along the normalised gradient of their cosine to a blank text.

  Args:
    classifier: with `features` and `classify`, as a zero-shot one.
    blank: [D], the mean text embedding of all templates with an empty name.
    steps: how many.
    step: length of one, of features at 2-norm 1.
    backward: see `Defence`; "smooth" is "exact", for there is no sign and no gate.
    compat: "official" takes the directions for constants in "exact" derivatives, as the authors'
      attack does. (Their norm runs over the batch as well, so that images change one another; here
      it is each image's own.)
    seed: of what it may wrap; it draws nothing itself.

  Raises:
    InputError: a value is out of range, a name unknown, or the classifier has no features.
  """
  base.check("clipure_cos", backward=backward, compat=compat, steps=(steps, 0), step=(step, 0))
  base.require_features("clipure_cos", classifier)
  return CLIPureCos(classifier, backward, seed, blank, steps, step, compat == "official")
