"""The patch tokens of an image encoder, compared by their angles: what VEAttack moves."""

import math

import jax
from flax import struct

from jaxbench import errors
from jaxbench.models.encoders.vision_transformer import VisionTransformer
from jaxbench.models.parts.layers import Network, compute_in, normalize


@struct.dataclass
class PatchTokens:
  """A pytree callable: images float32 [B, H, W, 3] in [0, 1] -> float32 [B, T * D].

  Unit tokens over the root of 2 T, so that the squared distance of two images is the mean over
  their tokens of 1 - cos, the loss of VEAttack (github.com/hefeimei06/VEAttack-LVLM): `pgd` with
  the loss "distance" ascends it. The momentum in its code has no effect: steps are signed twice.
  """

  visual: VisionTransformer

  def __call__(self, images: jax.Array) -> jax.Array:
    """Tokens of the last layer, without the class token and before the last norm."""
    tokens = normalize(self.visual.tokens(images))
    return tokens.reshape(len(tokens), -1) / math.sqrt(2 * tokens.shape[1])

  def compute_in(self, dtype: str) -> "PatchTokens":
    """See `models.compute_in`."""
    return compute_in(self, dtype)


def patch_tokens(visual: Network) -> PatchTokens:
  """Of an image tower.

  Raises:
    InputError: it is no vision transformer of CLIP's.
  """
  if not isinstance(visual, VisionTransformer):
    raise errors.InputError("its image tower has no patch tokens: it is no transformer of CLIP's")
  return PatchTokens(visual)
