"""CLIPs whose image tower is a FastViT of timm, in open_clip's folders: MobileCLIP-S."""

import dataclasses
import functools

import numpy as np
import pytest
from references import open_clips, parity
from references.writers import timm

from jaxbench import errors, models
from jaxbench.models.encoders import fastvit

SHAPE = {"depths": (1, 1), "widths": (8, 32)}
GATED = {"fastvit_mci0": 1, "fastvit_mci3": 0}  # Steps between stages.
POSITIONS = functools.partial(timm.models.fastvit.RepConditionalPosEnc, spatial_shape=(7, 7))
VISION = {"image_size": 32, "timm_pool": "avg", "timm_proj": None, "timm_drop": 0.0}


def write(folder, monkeypatch, name):
  """One of two stages, each branch of each convolution with statistics of its own."""
  sized, gated = fastvit.TOWER.timm[name], GATED[name]
  small = dataclasses.replace(sized.config, **SHAPE, attending=1, gated=gated)
  monkeypatch.setitem(fastvit.TOWER.timm, name, sized._replace(config=small))
  trunk = {"layers": SHAPE["depths"], "embed_dims": SHAPE["widths"]}
  trunk |= {"token_mixers": ("repmixer", "attention"), "pos_embs": (None, POSITIONS)}
  trunk |= {"se_downsamples": (False, bool(gated)), "downsamples": (False, True)}
  vision, text = VISION | {"timm_model_name": name}, open_clips.TEXT | {"no_causal_mask": True}
  model = {"embed_dim": 24, "vision_cfg": vision, "text_cfg": text, "custom_text": True}
  return open_clips.write(folder, model, monkeypatch, trunk)


@pytest.mark.parametrize("name", GATED)
def test_open_clip(tmp_path, monkeypatch, name):
  reference = write(tmp_path, monkeypatch, name)
  clip = models.load(str(tmp_path))

  def encode(pixels):
    """Torch 2.13 crashes in the gradient where channels are the last axis."""
    return reference.encode_image(pixels.contiguous())

  gradient = name == "fastvit_mci0"  # The other has the same parts.
  parity.assert_same(clip.visual, encode, clip.config, gradient=gradient, within=1e-5)
  tokens = clip.tokenize(["a photo of a cat", "two dogs"])
  expected = open_clips.encode_text(reference, tokens)
  np.testing.assert_allclose(clip.encode_text(tokens), expected, atol=1e-5 * np.ptp(expected))


def test_a_head_that_is_not_built_is_refused(tmp_path, monkeypatch):
  write(tmp_path, monkeypatch, "fastvit_mci0")
  file = tmp_path / "open_clip_config.json"
  whole = open_clips.json.loads(file.read_text())
  whole["model_cfg"]["vision_cfg"].update(timm_proj="mlp")
  file.write_text(open_clips.json.dumps(whole))
  with pytest.raises(errors.InputError, match="timm_proj 'mlp' is not built for fastvit_mci0"):
    models.describe(str(tmp_path))
