"""CLIPs whose image tower is a ViTamin of timm, in open_clip's folders."""

import dataclasses

import pytest
from references import open_clips, parity

from jaxbench import models
from jaxbench.models.encoders import vitamin


@pytest.mark.usual("vitamin_small_224-*")
@pytest.mark.parametrize(
  ("name", "bias"), [("vitamin_small_224", True), ("vitamin_xlarge_256", False)]
)
def test_open_clip(tmp_path, monkeypatch, name, bias):
  """The widths are timm's own: its convolutions cannot be narrower."""
  sized = vitamin.TOWER.timm[name]
  tower = dataclasses.replace(sized.config.tower, layers=1)
  small = dataclasses.replace(sized.config, tower=tower)
  monkeypatch.setitem(vitamin.TOWER.timm, name, sized._replace(config=small, size=48))
  vision = {"image_size": 48, "timm_model_name": name, "timm_pool": "", "timm_proj_bias": bias}
  model = {"embed_dim": 24, "vision_cfg": vision, "text_cfg": open_clips.TEXT, "custom_text": True}
  reference = open_clips.write(tmp_path, model, monkeypatch, {"img_size": 48, "depth": 1})
  clip = models.load(str(tmp_path))
  parity.assert_same(clip.visual, reference.encode_image, clip.config)
