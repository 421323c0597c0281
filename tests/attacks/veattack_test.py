"""VEAttack: three steps away from the patch tokens of a CLIP, re-derived with transformers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from references import checkpoints

from jaxbench import attacks, models

SIDE, STEPS, EPSILON, STRIDE = 32, 3, 4 / 255, 1 / 255
IMAGES = np.random.default_rng(0).random((2, SIDE, SIDE, 3), np.float32)
IMAGES[0, :2] = 1.0  # At the edge of the box.
KEY = jax.random.key(3)


@pytest.fixture(scope="module")
def towers(tmp_path_factory):
  """Of one random CLIP: ours, and that of transformers."""
  network, folder = checkpoints.clip(), tmp_path_factory.mktemp("clip")
  written = checkpoints.write_huggingface(network, folder, checkpoints.CLIP_PROCESSOR)
  return models.load(written).visual, network.vision_model


def _tokens(tower, image):
  """Of an image [H, W, 3] in torch: [T, D] of the last layer, without the class token."""
  processor = checkpoints.CLIP_PROCESSOR
  mean, std = (torch.tensor(processor[key]) for key in ("image_mean", "image_std"))
  pixels = ((image - mean) / std).permute(2, 0, 1)[None]
  return tower(pixel_values=pixels).last_hidden_state[0, 1:]


@pytest.mark.parametrize("row", [0, 1])
def test_images_move_as_its_code_moves_them(towers, row):
  ours, theirs = towers
  attack = attacks.pgd(steps=100, loss="distance", step_size=STRIDE, keep_going=True)
  example = attacks.Example(KEY, jnp.asarray(IMAGES[row]), jnp.int32(0), jnp.float32(EPSILON))
  state, step = attack.init(example), jax.jit(attack.step)
  start = np.asarray(state.image)
  uniform = jax.random.uniform(jax.random.fold_in(KEY, 0), start.shape, jnp.float32, -1.0, 1.0)
  clean, image = torch.tensor(IMAGES[row]), torch.tensor(start)
  np.testing.assert_allclose(start, np.clip(IMAGES[row] + EPSILON * uniform, 0, 1), atol=1e-7)
  before, velocity = _tokens(theirs, clean).detach(), torch.zeros_like(image)
  for _ in range(STEPS):
    state = step(models.patch_tokens(ours), state)
    image.requires_grad_()
    cosines = torch.nn.functional.cosine_similarity(_tokens(theirs, image), before, dim=-1)
    (slope,) = torch.autograd.grad((1 - cosines).mean(), image)
    # Of a momentum that is signed at each step the new sign always wins.
    velocity = (0.9 * velocity + slope.sign()).sign()
    moved = torch.clamp(image.detach() + STRIDE * velocity, clean - EPSILON, clean + EPSILON)
    image = torch.clamp(moved, 0, 1)
  np.testing.assert_allclose(state.image, image.numpy(), atol=1e-6)
  assert np.abs(np.asarray(state.image) - start).max() > 2.9 * STRIDE
