"""CLIP and supervised classifiers as `flax.nnx` modules that are plain pytrees.

Images are float32 `[B, H, W, 3]`, RGB, in [0, 1], at the model's size; normalisation is inside.
A classifier is any pytree callable from images to logits `[B, K]`: pass it into `jax.jit`.
"""

from jaxbench.models.catalog import describe, list_models, load
from jaxbench.models.clip import CLIP, CLIPConfig, TowerConfig
from jaxbench.models.preprocess import Preprocess
from jaxbench.models.prompts import PROMPTS, templates
from jaxbench.models.resnet import ResNet, ResNetConfig
from jaxbench.models.tokenizer import tokenize
from jaxbench.models.weights.orbax import Description, abstract, save
from jaxbench.models.zero_shot import ZeroShot, check_prompts, zero_shot

__all__ = [
  "CLIP",
  "PROMPTS",
  "CLIPConfig",
  "Description",
  "Preprocess",
  "ResNet",
  "ResNetConfig",
  "TowerConfig",
  "ZeroShot",
  "abstract",
  "check_prompts",
  "describe",
  "list_models",
  "load",
  "save",
  "templates",
  "tokenize",
  "zero_shot",
]
