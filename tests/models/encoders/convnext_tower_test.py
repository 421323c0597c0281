"""CLIPs whose image tower is a ConvNeXt of timm, in open_clip's folders."""

import dataclasses

import numpy as np
import pytest
import torch
from references import open_clips, parity

from jaxbench import errors, models
from jaxbench.models.encoders import convnext_tower, towers
from jaxbench.models.encoders.convnext_tower import ConvNeXtTowerConfig
from jaxbench.models.family import Sized

VISION = {"image_size": 64, "timm_model_name": "convnext_base", "timm_pool": ""}


def write(folder, monkeypatch, custom_text=False, **vision):
  """A small one, whose layer norms have an epsilon of their own."""
  small = ConvNeXtTowerConfig((1, 2, 1, 1), (8, 12, 16, 24), 1e-3)
  names = dict(convnext_tower.TOWER.timm) | {"convnext_base": Sized(small)}
  row = convnext_tower.TOWER._replace(timm=names)
  monkeypatch.setitem(towers.TRUNKS, "convnext_base", (row, Sized(small)))
  trunk = {"depths": small.depths, "dims": small.widths, "norm_eps": small.epsilon}
  model = {"embed_dim": 20, "vision_cfg": VISION | vision, "text_cfg": open_clips.TEXT}
  return open_clips.write(folder, {**model, "custom_text": custom_text}, monkeypatch, trunk)


@pytest.mark.usual("False-vision0")
@pytest.mark.parametrize(
  ("custom_text", "vision"),
  [
    (False, {"timm_proj": "linear"}),
    (True, {"timm_proj": "mlp", "timm_drop_path": 0.1}),
    (False, {"timm_proj": "mlp", "timm_proj_bias": True}),
  ],
)
def test_open_clip(tmp_path, monkeypatch, custom_text, vision):
  reference = write(tmp_path, monkeypatch, custom_text, **vision)
  clip = models.load(str(tmp_path))
  parity.assert_same(clip.visual, reference.encode_image, clip.config)
  tokens = models.tokenize(["a photo of a cat", "two dogs"], 12)
  expected = open_clips.encode_text(reference, tokens)
  np.testing.assert_allclose(clip.encode_text(tokens), expected, atol=1e-5 * np.ptp(expected))


def test_a_robust_tower_alone(tmp_path, monkeypatch):
  write(tmp_path / "base", monkeypatch, timm_proj="linear")
  robust = write(tmp_path / "robust", monkeypatch, timm_proj="linear")
  parity.randomize(robust.visual)
  file = tmp_path / "tower.pt"
  torch.save(robust.visual.state_dict(), file)
  clip = models.load(str(tmp_path / "base"), visual=str(file))
  parity.assert_same(clip.visual, robust.encode_image, clip.config, gradient=False)


@pytest.mark.parametrize(
  ("vision", "message"),
  [
    ({"timm_proj": None}, "timm_proj '' is not built for convnext_base; built is 'linear', 'mlp'"),
    ({"timm_pool": "abs_attn"}, "timm_pool 'abs_attn' is not built for convnext_base"),
  ],
)
def test_what_is_not_built_is_refused(tmp_path, monkeypatch, vision, message):
  write(tmp_path, monkeypatch)
  file = tmp_path / "open_clip_config.json"
  whole = open_clips.json.loads(file.read_text())
  whole["model_cfg"]["vision_cfg"].update(vision)
  file.write_text(open_clips.json.dumps(whole))
  with pytest.raises(errors.InputError, match=message):
    models.describe(str(tmp_path))


def test_a_size_has_what_its_classifier_has():
  config = models.ARCHITECTURES["convnext_xxlarge"]
  tower = convnext_tower.SIZES["convnext_xxlarge"]
  fields = [field.name for field in dataclasses.fields(tower)][:3]
  assert all(getattr(tower, name) == getattr(config, name) for name in fields)
