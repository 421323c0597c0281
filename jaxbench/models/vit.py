"""The supervised vision transformer (Dosovitskiy et al., 2020, arXiv:2010.11929)."""

import dataclasses

import jax
from flax import nnx

from jaxbench.models.classifier import Classifier, ClassifierConfig
from jaxbench.models.layers import Conv, LayerNorm, Linear, prepend
from jaxbench.models.transformer import TowerConfig, Transformer


@dataclasses.dataclass(frozen=True, kw_only=True)
class ViTConfig(ClassifierConfig):
  """Everything that shapes a ViT."""

  tower: TowerConfig
  patch_size: int


class ViT(Classifier):
  """A supervised classifier: images [B, H, W, 3] in [0, 1] -> logits [B, K]."""

  def __init__(self, config: ViTConfig, *, rngs: nnx.Rngs):
    self.config = config
    width, patch = config.tower.width, config.patch_size
    tokens = 1 + (config.preprocess.size // patch) ** 2
    self.conv1 = Conv(3, width, patch, patch, padding=0, use_bias=True, rngs=rngs)
    self.class_embedding = nnx.Param(0.02 * jax.random.normal(rngs.params(), (width,)))
    self.positional_embedding = nnx.Param(0.02 * jax.random.normal(rngs.params(), (tokens, width)))
    self.transformer = Transformer(config.tower, rngs=rngs)
    self.ln_post = LayerNorm(width, config.tower.epsilon)
    self.fc = Linear(width, config.num_classes, rngs=rngs)

  def logits(self, x: jax.Array) -> jax.Array:
    """Standardised images [B, H, W, 3] -> [B, K]."""
    x = self.conv1(x)
    x = x.reshape(x.shape[0], -1, x.shape[-1])
    x = prepend(self.class_embedding[...], x)
    x = self.transformer(x + self.positional_embedding[...].astype(x.dtype)[None], keep=1)
    return self.fc(self.ln_post(x[:, 0]))
