"""Transformers, and their defaults, in config.json of transformers."""

from typing import NamedTuple

from jaxbench.models.transformer import TowerConfig
from jaxbench.models.weights.sidecar import Fields

_ACTIVATIONS = {
  "quick_gelu": "quick_gelu",
  "gelu": "gelu",
  "gelu_pytorch_tanh": "gelu_tanh",
  "gelu_new": "gelu_tanh",
}


class Defaults(NamedTuple):
  """Defaults of transformers' configuration classes."""

  width: int
  mlp: int
  heads: int
  activation: str
  epsilon: float


def tower(fields: Fields, default: Defaults) -> TowerConfig:
  """A transformer."""
  width = fields.count("hidden_size", default.width)
  heads = fields.count("num_attention_heads", default.heads)
  if width % heads:
    raise fields.error(f"hidden_size {width} is no multiple of num_attention_heads {heads}")
  return TowerConfig(
    width=width,
    layers=fields.count("num_hidden_layers", 12),
    heads=heads,
    mlp_width=fields.count("intermediate_size", default.mlp),
    activation=fields.choose("hidden_act", _ACTIVATIONS, default.activation),
    epsilon=fields.number("layer_norm_eps", default.epsilon),
  )
