"""Our CLIP against transformers' in torch, on the same random weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
import transformers
from flax import nnx

from jaxbench import models

TOKENS = models.tokenize(["a photo of a cat", "two dogs", "!", "word " * 100])


def _torch_clip(activation: str) -> transformers.CLIPModel:
  torch.manual_seed(0)
  shared = {"hidden_act": activation, "projection_dim": 24}
  text = {"hidden_size": 32, "intermediate_size": 128, "num_hidden_layers": 2}
  vision = {"hidden_size": 48, "intermediate_size": 192, "num_hidden_layers": 3}
  sizes = {"num_attention_heads": 3, "image_size": 32, "patch_size": 8}
  config = transformers.CLIPConfig(
    text_config={**shared, **text, "num_attention_heads": 4},
    vision_config={**shared, **vision, **sizes},
    projection_dim=24,
  )
  model = transformers.CLIPModel(config).eval()
  with torch.no_grad():
    for parameter in model.parameters():  # Nothing stays at an initial 0 or 1.
      parameter.add_(0.1 * torch.randn_like(parameter))
  return model


def _ours(reference: transformers.CLIPModel, activation: str) -> models.CLIP:
  config = models.CLIPConfig(
    embed_dim=24,
    vision=models.TowerConfig(width=48, layers=3, heads=3),
    text=models.TowerConfig(width=32, layers=2, heads=4),
    patch_size=8,
    preprocess=models.Preprocess(32),
    activation=activation,
  )
  model = models.CLIP(config, rngs=nnx.Rngs(0))
  source = {name: jnp.asarray(t.detach().numpy()) for name, t in reference.named_parameters()}
  _fill_tower(model.visual, "vision_model.", source)
  _fill_tower(model.text, "text_model.", source)
  visual, text = model.visual, model.text
  visual.conv1.kernel[...] = source["vision_model.embeddings.patch_embedding.weight"].transpose(
    2, 3, 1, 0
  )
  visual.class_embedding[...] = source["vision_model.embeddings.class_embedding"]
  visual.positional_embedding[...] = source["vision_model.embeddings.position_embedding.weight"]
  visual.proj[...] = source["visual_projection.weight"].T
  _fill_norm(visual.ln_pre, "vision_model.pre_layrnorm", source)
  _fill_norm(visual.ln_post, "vision_model.post_layernorm", source)
  text.token_embedding[...] = source["text_model.embeddings.token_embedding.weight"]
  text.positional_embedding[...] = source["text_model.embeddings.position_embedding.weight"]
  text.text_projection[...] = source["text_projection.weight"].T
  _fill_norm(text.ln_final, "text_model.final_layer_norm", source)
  model.log_logit_scale[...] = source["logit_scale"]
  return model


def _fill_tower(tower, prefix, source):
  for i, block in enumerate(tower.transformer.resblocks):
    layer = f"{prefix}encoder.layers.{i}."
    _fill_norm(block.ln_1, layer + "layer_norm1", source)
    _fill_norm(block.ln_2, layer + "layer_norm2", source)
    attention = [f"{layer}self_attn.{name}_proj" for name in "qkv"]
    block.attn.in_proj.kernel[...] = jnp.concatenate(
      [source[f"{name}.weight"].T for name in attention], axis=1
    )
    block.attn.in_proj.bias[...] = jnp.concatenate([source[f"{n}.bias"] for n in attention])
    for linear, name in (
      (block.attn.out_proj, "self_attn.out_proj"),
      (block.mlp.c_fc, "mlp.fc1"),
      (block.mlp.c_proj, "mlp.fc2"),
    ):
      linear.kernel[...] = source[f"{layer}{name}.weight"].T
      linear.bias[...] = source[f"{layer}{name}.bias"]


def _fill_norm(norm, name, source):
  norm.scale[...], norm.bias[...] = source[f"{name}.weight"], source[f"{name}.bias"]


@pytest.mark.parametrize("activation", ["quick_gelu", "gelu"])
def test_logits_and_image_gradients_equal_those_of_transformers(activation):
  reference = _torch_clip(activation)
  clip = _ours(reference, activation)
  images = np.random.default_rng(0).random((4, 32, 32, 3), np.float32)
  mean, std = (np.float32(x) for x in (clip.config.mean, clip.config.std))
  pixels = torch.tensor(images, requires_grad=True)
  normalized = (pixels - torch.tensor(mean)) / torch.tensor(std)
  expected = reference(
    input_ids=torch.tensor(TOKENS, dtype=torch.long), pixel_values=normalized.permute(0, 3, 1, 2)
  ).logits_per_image
  expected[:, 0].sum().backward()

  def logits(images):
    text = clip.encode_text(TOKENS)
    text = text / jnp.linalg.norm(text, axis=-1, keepdims=True)
    return models.ZeroShot(clip.visual, text.T, clip.logit_scale)(images)

  found = np.asarray(logits(images))
  scale = np.ptp(expected.detach().numpy())
  np.testing.assert_allclose(found, expected.detach().numpy(), atol=1e-4 * scale)
  gradient = jax.grad(lambda x: logits(x)[:, 0].sum())(jnp.asarray(images))
  size = np.abs(pixels.grad.numpy()).max()
  np.testing.assert_allclose(gradient, pixels.grad.numpy(), atol=1e-3 * size)


def test_what_follows_the_end_token_changes_nothing(clip):
  tokens = models.tokenize(["a photo of a seven."])
  short = tokens[:, : tokens[0].argmax() + 1]
  np.testing.assert_allclose(clip.encode_text(tokens), clip.encode_text(short), atol=1e-5)


def test_a_word_that_a_cut_table_lacks_is_never_another_word(clip):
  assert jnp.isnan(clip.encode_text(models.tokenize(["a photo of a giraffe."]))).all()
