"""What all supervised ImageNet models share: classes, preprocessing, normalisation inside."""

import abc
import dataclasses
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from jaxbench.models.parts.layers import Network
from jaxbench.models.preprocess import Preprocess

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClassifierConfig:
  """What every supervised model's configuration holds."""

  supervised: ClassVar[bool] = True
  class_names: ClassVar[None] = None  # ImageNet's, if there are 1,000; else the data set's.

  num_classes: int
  preprocess: Preprocess
  mean: tuple[float, float, float] = IMAGENET_MEAN
  std: tuple[float, float, float] = IMAGENET_STD


def imagenet(size: int = 224, resize: int = 256, interpolation: str = "bilinear") -> dict[str, Any]:
  """The classes and the preprocessing of torchvision's weights, as fields of a configuration."""
  return {"num_classes": 1000, "preprocess": Preprocess(size, resize, interpolation)}


class Classifier(Network):
  """A supervised model: images [B, H, W, 3] in [0, 1] -> logits [B, K]."""

  config: ClassifierConfig

  @property
  def preprocess(self) -> Preprocess:
    """How an image file becomes this model's input."""
    return self.config.preprocess

  @abc.abstractmethod
  def logits(self, x: jax.Array) -> jax.Array:
    """Standardised images [B, H, W, 3] -> [B, K]."""

  def __call__(self, images: jax.Array) -> jax.Array:
    """float32 [B, H, W, 3] in [0, 1] at the model's size -> logits float32 [B, K]."""
    x = self.standardize(images, self.config.mean, self.config.std)
    return self.logits(x).astype(jnp.float32)
