"""CLIP, its kin and supervised classifiers as `flax.nnx` modules that are plain pytrees.

Images are float32 `[B, H, W, 3]`, RGB, in [0, 1], at the model's size; normalisation is inside.
A classifier is any pytree callable from images to logits `[B, K]`: pass it into `jax.jit`.
"""

from jaxbench.models.architectures import ARCHITECTURES, Config, Model
from jaxbench.models.catalog import describe, list_models, load
from jaxbench.models.checked import checked
from jaxbench.models.classifiers.classifier import Classifier, ClassifierConfig
from jaxbench.models.classifiers.resnet import ResNet, ResNetConfig
from jaxbench.models.encoders.clip import CLIP, CLIPConfig
from jaxbench.models.encoders.siglip import SigLIP, SigLIPConfig
from jaxbench.models.encoders.tokenizer import decode, encode, tokenize
from jaxbench.models.foreign.custom import Custom, CustomConfig
from jaxbench.models.foreign.torch_bridge import from_torch
from jaxbench.models.later import told
from jaxbench.models.listing import Listing, Weights
from jaxbench.models.parts.layers import compute_in
from jaxbench.models.parts.transformer import TowerConfig
from jaxbench.models.patch_tokens import PatchTokens, patch_tokens
from jaxbench.models.pooled import POOLS, Pooled, pooled
from jaxbench.models.preprocess import Preprocess
from jaxbench.models.prompting.context import EncoderPrompts, SoftPrompts, TokenPrompts
from jaxbench.models.prompting.prompt_loss import Task, prompt_task
from jaxbench.models.prompting.prompter import Prompter, phrase, prompter
from jaxbench.models.prompting.prompts import PROMPTS, imagenet_class_names, searched_on, templates
from jaxbench.models.prompting.soft_prompt import learn_prompt
from jaxbench.models.prompting.trigger_search import Scored, Search, Step, search_prompts
from jaxbench.models.prompting.zero_shot import ZeroShot, check_prompts, gallery, zero_shot
from jaxbench.models.resized import Resized, resized
from jaxbench.models.weights.checkpoint import Description, abstract
from jaxbench.models.weights.orbax import save

__all__ = [
  "ARCHITECTURES",
  "CLIP",
  "POOLS",
  "PROMPTS",
  "CLIPConfig",
  "Classifier",
  "ClassifierConfig",
  "Config",
  "Custom",
  "CustomConfig",
  "Description",
  "EncoderPrompts",
  "Listing",
  "Model",
  "PatchTokens",
  "Pooled",
  "Preprocess",
  "Prompter",
  "ResNet",
  "ResNetConfig",
  "Resized",
  "Scored",
  "Search",
  "SigLIP",
  "SigLIPConfig",
  "SoftPrompts",
  "Step",
  "Task",
  "TokenPrompts",
  "TowerConfig",
  "Weights",
  "ZeroShot",
  "abstract",
  "check_prompts",
  "checked",
  "compute_in",
  "decode",
  "describe",
  "encode",
  "from_torch",
  "gallery",
  "imagenet_class_names",
  "learn_prompt",
  "list_models",
  "load",
  "patch_tokens",
  "phrase",
  "pooled",
  "prompt_task",
  "prompter",
  "resized",
  "save",
  "search_prompts",
  "searched_on",
  "templates",
  "tokenize",
  "told",
  "zero_shot",
]
