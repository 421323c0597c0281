"""A CLIP classifier of ours, in plain torch, with the same weights."""

import numpy as np
import torch
from torch.nn import functional

from jaxbench import models

_ACTIVATIONS = {
  "quick_gelu": lambda x: x * torch.sigmoid(1.702 * x),
  "gelu": functional.gelu,
}


class Classifier(torch.nn.Module):
  """Images [B, H, W, 3] in [0, 1] -> logits, of a zero-shot classifier with a ViT tower."""

  def __init__(self, ours: models.ZeroShot, config: models.CLIPConfig):
    super().__init__()
    self._visual, self._config = ours.visual, config
    self._text = _tensor(ours.text) * float(ours.logit_scale)
    self._blocks = [
      {
        name: _linear(module)
        for name, module in {
          "in": block.attn.in_proj,
          "out": block.attn.out_proj,
          "up": block.mlp.c_fc,
          "down": block.mlp.c_proj,
        }.items()
      }
      | {"first": _norm(block.ln_1), "second": _norm(block.ln_2)}
      for block in ours.visual.transformer.resblocks
    ]
    kernel = _tensor(ours.visual.conv1.kernel[...])
    self._patches = kernel.permute(3, 2, 0, 1).contiguous()
    self._token = _tensor(ours.visual.class_embedding[...])
    self._positions = _tensor(ours.visual.positional_embedding[...])
    self._before, self._after = _norm(ours.visual.ln_pre), _norm(ours.visual.ln_post)
    self._projection = _tensor(ours.visual.proj[...])
    self._shift, self._scale = (torch.tensor(x) for x in (config.mean, config.std))

  def forward(self, images: torch.Tensor) -> torch.Tensor:
    tower = self._config.vision
    pixels = ((images - self._shift) / self._scale).permute(0, 3, 1, 2)
    x = functional.conv2d(pixels, self._patches, stride=self._config.patch_size)
    x = x.flatten(2).transpose(1, 2)
    x = torch.cat([self._token.expand(len(x), 1, -1), x], dim=1) + self._positions
    x = self._normal(x, self._before)
    for block in self._blocks:
      heads = functional.linear(self._normal(x, block["first"]), *block["in"])
      heads = heads.unflatten(2, (3, tower.heads, -1)).permute(2, 0, 3, 1, 4)
      mixed = functional.scaled_dot_product_attention(*heads).transpose(1, 2).flatten(2)
      x = x + functional.linear(mixed, *block["out"])
      hidden = functional.linear(self._normal(x, block["second"]), *block["up"])
      x = x + functional.linear(_ACTIVATIONS[tower.activation](hidden), *block["down"])
    x = self._normal(x[:, 0], self._after) @ self._projection
    return functional.normalize(x, dim=-1) @ self._text

  def _normal(self, x, weights):
    return functional.layer_norm(x, x.shape[-1:], *weights, self._config.vision.epsilon)


def _tensor(array):
  return torch.tensor(np.asarray(array))


def _linear(module):
  return _tensor(module.kernel[...]).T.contiguous(), _tensor(module.bias[...])


def _norm(module):
  return _tensor(module.scale[...]), _tensor(module.bias[...])
