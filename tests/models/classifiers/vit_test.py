import dataclasses
import re

import pytest
import torch
from references import families, parity
from references.writers import timm

from jaxbench import errors, models
from jaxbench.models.classifiers.vit import FAMILY, ViTConfig
from jaxbench.models.weights import checkpoint, mapping

OF_EACH = {ours: name for name, (ours, _) in FAMILY.timm.names.items()}


def _renamed(state, *renamings):
  """`state` under other names; the first pattern that matches decides."""
  result = {}
  for name, tensor in state.items():
    for pattern, replacement in renamings:
      new, count = re.subn(pattern, replacement, name)
      if count:
        result[new] = tensor
        break
    else:
      raise AssertionError(name)
  return result


def test_torchvision_vit(load_bare):
  tower = models.TowerConfig(48, 2, 3, 160, "gelu", 1e-12)
  config = ViTConfig(tower=tower, patch_size=8, num_classes=5, preprocess=models.Preprocess(32))
  reference = families.vit()
  layer = r"encoder.layers.encoder_layer_\1"
  state = _renamed(
    reference.state_dict(),
    (r"^vit\.embeddings\.cls_token", "class_token"),
    (r"^vit\.embeddings\.position_embeddings", "encoder.pos_embedding"),
    (r"^vit\.embeddings\.patch_embeddings\.projection", "conv_proj"),
    (r"^.*layers?\.(\d+)\.(?:.*\.)?(query|key|value|[qkv]_proj)\.(.*)", r"qkv_\1_\2_\3"),
    (r"^.*\.(\d+)\.attention\.(?:output\.dense|o_proj)\.", layer + ".self_attention.out_proj."),
    (r"^.*layers?\.(\d+)\.layernorm_before\.", layer + ".ln_1."),
    (r"^.*layers?\.(\d+)\.layernorm_after\.", layer + ".ln_2."),
    (r"^.*layers?\.(\d+)\.(?:intermediate\.dense|mlp\.fc1)\.", layer + ".mlp.linear_1."),
    (r"^.*layers?\.(\d+)\.(?:output\.dense|mlp\.fc2)\.", layer + ".mlp.linear_2."),
    (r"^vit\.layernorm\.", "encoder.ln."),
    (r"^classifier\.", "heads.head."),
  )  # fmt: skip
  parts = {name: state.pop(name) for name in list(state) if name.startswith("qkv_")}
  for i in range(2):
    for end in ("weight", "bias"):
      query, key, value = (
        next(t for n, t in parts.items() if re.fullmatch(rf"qkv_{i}_{part}.*_{end}", n))
        for part in "qkv"
      )
      name = f"encoder.layers.encoder_layer_{i}.self_attention.in_proj_{end}"
      state[name] = torch.cat([query, key, value])
  model = load_bare(config, state)
  parity.assert_same(model, lambda p: reference(p).logits, config, gradient=False)


@pytest.mark.parametrize(
  ("name", "arguments"),
  [
    ("vit_small_patch16_224", {}),
    ("vit_small_patch16_224", {"global_pool": "avg"}),
    ("deit3_small_patch16_224", {}),
    ("deit_small_distilled_patch16_224", {}),
  ],
)
def test_timm(write_timm, name, arguments):
  sizes = {"embed_dim": 48, "depth": 2, "num_heads": 3, "num_classes": 5, "img_size": 64}
  theirs, folder = write_timm(name, **sizes, **arguments)
  model = models.load(folder)
  parity.assert_same(model, theirs, model.config, within=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
  "theirs", {ours: name for name, (ours, _) in FAMILY.timm.names.items()}.values()
)
def test_published_sizes_have_the_tensors_of_timm(theirs):
  config = models.ARCHITECTURES[FAMILY.timm.names[theirs][0]]
  size = config.preprocess.size
  with torch.device("meta"):
    state = timm.create_model(theirs, img_size=size, num_classes=1000).state_dict()
  held = sum(tensor.numel() for tensor in state.values())
  assert held == sum(spec.size for spec in checkpoint.shapes(config).values())
  renamings = mapping.likeliest(state, checkpoint.shapes(config), FAMILY.layouts(config)["timm"])
  assert mapping.missing(set(state), checkpoint.shapes(config), renamings) == 0


def test_two_tokens_have_no_other_pool():
  with pytest.raises(errors.InputError, match="pooled by its two tokens: pool is 'token'"):
    dataclasses.replace(models.ARCHITECTURES["deit_s_16_distilled"], pool="mean")


def test_images_of_another_size(write_timm):
  sizes = {"embed_dim": 48, "depth": 1, "num_heads": 3, "num_classes": 5, "img_size": 64}
  theirs, folder = write_timm("deit3_small_patch16_224", **sizes)
  model = models.load(folder, image_size=96)
  theirs.set_input_size((96, 96))
  parity.assert_same(model, theirs, model.config, gradient=False, within=1e-5)
