"""Three conventions of rotary position embedding, against timm's."""

import math

import jax.numpy as jnp
import numpy as np
import pytest
import torch
from references.writers import timm

from jaxbench.models.parts.rotary import Rotary, turned

_OF_EVA = {"in_pixels": False, "ref_feat_shape": [4, 4]}


@pytest.mark.parametrize(
  ("kind", "arguments", "ours"),
  [
    ("cat", _OF_EVA, Rotary(4)),
    ("cat", _OF_EVA | {"grid_offset": 1, "grid_indexing": "xy"}, Rotary(4, 1e4, 1, True)),
    ("dinov3", {"rotate_half": True}, Rotary(4 * math.pi, 100, None, halves=True)),
  ],
)
def test_heads_are_turned_as_timm_turns_them(kind, arguments, ours):
  theirs = timm.layers.create_rope_embed(kind, 48, 3, feat_shape=[6, 6], **arguments)
  heads = torch.randn(2, 3, 36, 16, generator=torch.Generator().manual_seed(0))
  apply = timm.layers.apply_rot_embed_cat
  expected = apply(heads, theirs.get_embed(), half=ours.halves).transpose(1, 2).flatten(2)
  x = heads.transpose(1, 2).flatten(2).numpy()
  found = turned(x, ours.angles(6, 8), 3, halves=ours.halves)
  np.testing.assert_allclose(found, expected, atol=1e-5)


def test_half_precision_turns_in_single():
  x = np.random.default_rng(0).normal(size=(1, 9, 32)).astype(np.float32)
  angles = Rotary(16).angles(3, 8)
  found = turned(jnp.asarray(x, jnp.bfloat16), angles, 2, halves=False)
  assert found.dtype == jnp.bfloat16
  np.testing.assert_allclose(
    found.astype(np.float32), turned(x, angles, 2, halves=False), atol=0.05
  )
