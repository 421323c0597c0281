"""Image towers that are ResNets, in open_clip's folders; `fields_test` has the others."""

import json

import pytest
import torch
from references import checkpoints, parity
from references.writers import open_clip

from jaxbench import models


def write(folder, depths=(1, 1, 2, 1), width=16, size=64, embed_dim=24):
  """An image tower of open_clip, in the folder of a CLIP."""
  torch.manual_seed(0)
  vision = {"image_size": size, "layers": list(depths), "width": width, "patch_size": None}
  text = {"width": 32, "heads": 4, "layers": 2}
  clip = open_clip.CLIP(embed_dim, vision, text)
  tower = parity.randomize(clip.visual)
  checkpoints.write_safetensors(clip.state_dict(), folder / "open_clip_model.safetensors")
  model = {"embed_dim": embed_dim, "vision_cfg": vision, "text_cfg": text}
  config = {"model_cfg": model, "preprocess_cfg": {"mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.4]}}
  (folder / "open_clip_config.json").write_text(json.dumps(config))
  return tower, models.load(str(folder))


@pytest.mark.slow
def test_modified_resnet(tmp_path):
  tower, clip = write(tmp_path)
  assert clip.config.mean == (0.4, 0.5, 0.6)
  parity.assert_same(clip.visual, tower, clip.config, gradient=False)
  parity.assert_same_gradient_in_double(clip.visual, tower.double(), clip.config)


@pytest.mark.slow
def test_full_rn50(tmp_path):
  tower, clip = write(tmp_path, (3, 4, 6, 3), 64, 224, 1024)
  parity.assert_same(clip.visual, tower, clip.config, gradient=False)
  parity.assert_same_gradient_in_double(clip.visual, tower.double(), clip.config)
