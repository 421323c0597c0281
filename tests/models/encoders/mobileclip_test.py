"""MobileCLIP's image towers that are transformers, in open_clip's folders."""

import dataclasses

import numpy as np
import pytest
from references import open_clips, parity

from jaxbench import models
from jaxbench.models.encoders import eva


@pytest.mark.parametrize(
  ("name", "width", "patch"),
  [("vit_base_mci_224", 768, 16), ("vit_large_patch14_clip_224", 48, 14)],
)
def test_open_clip(tmp_path, monkeypatch, name, width, patch):
  """The widths of MobileCLIP's convolutions are timm's own."""
  sized, side = eva.TOWER.timm[name], 3 * patch
  sizes = {"width": width, "layers": 1, "heads": width // 16, "mlp_width": 96}
  tower = dataclasses.replace(sized.config.tower, **sizes)
  config = dataclasses.replace(sized.config, tower=tower)
  monkeypatch.setitem(eva.TOWER.timm, name, sized._replace(config=config, size=side))
  vision = {"image_size": side, "timm_model_name": name, "timm_pool": "token", "timm_proj": None}
  text = open_clips.TEXT | {"no_causal_mask": True}
  model = {"embed_dim": 24, "vision_cfg": vision, "text_cfg": text, "custom_text": True}
  trunk = {"img_size": side, "depth": 1, "num_heads": width // 16, "mlp_ratio": 96 / width}
  reference = open_clips.write(tmp_path, model, monkeypatch, trunk | {"embed_dim": width})
  clip = models.load(str(tmp_path))
  parity.assert_same(clip.visual, reference.encode_image, clip.config)
  tokens = clip.tokenize(["a photo of a cat", "two dogs"])
  expected = open_clips.encode_text(reference, tokens)
  np.testing.assert_allclose(clip.encode_text(tokens), expected, atol=1e-5 * np.ptp(expected))
