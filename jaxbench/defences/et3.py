"""Energy-guided test-time transformation (ET3; Mirza et al., CVPR 2026).

The defaults are those of the authors' script for CLIP. Their code for classifiers and for language
models has an l2 ball: 2.5, radius 5 and 5 steps for a robust ResNet-50, 2 steps for TeCoA's towers;
2, radius 4 and 2 steps for FARE's. CLIP was attacked undefended, and the ResNet through the defence
by bpda too; nobody differentiated through it, as "exact" does here.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

from jaxbench import errors
from jaxbench.defences import base
from jaxbench.defences.base import Cost, Defence

_NORMS = ("linf", "l2")


@struct.dataclass
class ET3(Defence):
  """Lowers the energy of the image before the answer."""

  steps: int = struct.field(pytree_node=False)
  step: float = struct.field(pytree_node=False)
  radius: float = struct.field(pytree_node=False)
  norm: str = struct.field(pytree_node=False)
  temperature: float = struct.field(pytree_node=False)

  def one(self, image: jax.Array, key: jax.Array) -> jax.Array:
    """See `Defence`."""
    moved = self.transformed(image, key)
    if self.backward == "bpda":
      moved = base.with_gradient_of(image, moved)
    return self.answer(moved, key)

  def energy(self, image: jax.Array, key: jax.Array) -> jax.Array:
    """[], of one image [H, W, 3]."""
    logits = self.answer(image, key)
    return -self.temperature * jax.nn.logsumexp(logits / self.temperature)

  def transformed(self, image: jax.Array, key: jax.Array) -> jax.Array:
    """The image [H, W, 3] of lower energy."""

    def descend(moved: jax.Array, _: None) -> tuple[jax.Array, None]:
      slope = jax.grad(self.energy)(moved, key)
      moved = base.bounded(moved - self.step * base.directed(slope), 0.0, 1.0)
      return self._project(image, moved), None

    again = jax.checkpoint(descend, prevent_cse=False)
    return jax.lax.scan(again, image, None, length=self.steps)[0]

  def _project(self, image: jax.Array, moved: jax.Array) -> jax.Array:
    """Onto the ball around the image, whose box the result stays in."""
    delta = moved - image
    if self.norm == "linf":
      return image + base.bounded(delta, -self.radius, self.radius)
    square = jnp.sum(jnp.square(delta))
    size = jnp.sqrt(jnp.where(square > self.radius**2, square, 1.0))
    return image + delta * jnp.where(square > self.radius**2, self.radius / size, 1.0)

  @property
  def passes(self) -> Cost:
    """See `Defence`."""
    return Cost(self.steps + 1, self.steps)


def et3(
  classifier: Any,
  *,
  steps: int = 2,
  step: float = 2.5,
  radius: float = 5 / 255,
  norm: str = "linf",
  temperature: float = 1.0,
  backward: str = "exact",
  seed: int = 0,
) -> ET3:
  """Steps along the normalised gradient that lower -T logsumexp(logits / T), before the answer.

  Args:
    classifier: a pytree callable, images -> logits.
    steps: how many.
    step: 2-norm of one, in pixel units, at 224 pixels a side.
    radius: of the ball that they stay in.
    norm: of the ball, "linf" or "l2".
    temperature: T.
    backward: see `Defence`; "smooth" is "exact", for there is no sign and no gate.
    seed: of what it may wrap; it draws nothing itself.

  Raises:
    InputError: a value is out of range or a name unknown.
  """
  base.check(
    "et3",
    backward=backward,
    steps=(steps, 0),
    step=(step, 0),
    radius=(radius, 0),
    temperature=(temperature, 1e-6),
  )
  if norm not in _NORMS:
    raise errors.unknown("norm of et3", norm, _NORMS)
  return ET3(classifier, backward, seed, steps, step, radius, norm, temperature)
