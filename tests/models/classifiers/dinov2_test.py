import dataclasses

import jax
import numpy as np
import pytest
import torch
import transformers as hf
from references import checkpoints, parity
from references.writers import timm

from jaxbench import errors, models
from jaxbench.models.classifiers import dinov2
from jaxbench.models.weights import checkpoint

SMALL = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 3, "image_size": 70}
PROCESSOR = {
  **checkpoints.CLIP_PROCESSOR,
  "image_processor_type": "BitImageProcessor",
  "size": {"shortest_edge": 64},
  "crop_size": {"height": 56, "width": 56},
}


@pytest.mark.parametrize(
  ("kind", "changes"),
  [
    ("Dinov2", {}),
    ("Dinov2", {"use_swiglu_ffn": True}),
    ("Dinov2WithRegisters", {"patch_size": 14, "num_register_tokens": 3}),
  ],
)
def test_transformers(tmp_path, kind, changes):
  """Its positions are those of 70 pixels, and images come with 56."""
  torch.manual_seed(0)
  config = getattr(hf, f"{kind}Config")(**SMALL, num_labels=5, **changes)
  theirs = parity.randomize(getattr(hf, f"{kind}ForImageClassification")(config))
  folder = checkpoints.write_huggingface(theirs, tmp_path, PROCESSOR)
  model = models.load(folder)
  assert model.preprocess == models.Preprocess(56, 64, margin="floor")
  parity.assert_same(model, lambda x: theirs(x).logits, model.config, within=1e-5)
  larger = models.load(folder, image_size=84)
  parity.assert_same(larger, lambda x: theirs(x).logits, larger.config, gradient=False)


SIZES = {"embed_dim": 48, "depth": 2, "num_heads": 3, "img_size": 56}


@pytest.mark.slow
@pytest.mark.parametrize("pool", ["token", "avg"])
@pytest.mark.parametrize("name", ["vit_small_patch14_dinov2", "vit_small_patch14_reg4_dinov2"])
def test_timm_with_a_classifier(write_timm, name, pool):
  theirs, folder = write_timm(name, num_classes=5, global_pool=pool, **SIZES)
  model = models.load(folder)
  parity.assert_same(model, theirs, model.config, within=1e-5)


def test_timm_without_a_classifier_is_refused(write_timm):
  _, folder = write_timm("vit_small_patch14_dinov2", num_classes=0, **SIZES)
  with pytest.raises(errors.InputError, match="num_classes is 0, not a whole number above 0"):
    models.load(folder)


@pytest.mark.usual("vit_small_*")
@pytest.mark.parametrize("theirs", dinov2.FAMILY.timm.names)
def test_published_sizes_have_the_tensors_of_timm(theirs):
  ours, changes = dinov2.FAMILY.timm.names[theirs]
  config = models.ARCHITECTURES[ours]
  with torch.device("meta"):
    module = timm.create_model(theirs, img_size=224)
  published = {name: spec.size for name, spec in checkpoint.shapes(config).items()}
  head = published.pop("fc.kernel") + published.pop("fc.bias")
  assert head == (2 * module.embed_dim + 1) * 1000
  places = config.tower.width if "positions" in changes else 0  # That of the class token is added.
  assert sum(published.values()) == sum(p.numel() for p in module.parameters()) + places


def _as_torch_hub_has_it(module, registers, side):
  """Its state dict with positions of a larger grid, which `module` gets as its authors do."""
  generator = torch.Generator().manual_seed(1)
  table = torch.rand((1, 1 + side * side, module.embed_dim), generator=generator)
  grid = table[:, 1:].reshape(1, side, side, -1).permute(0, 3, 1, 2)
  wanted = module.patch_embed.grid_size[0]
  scale = (wanted + (0.0 if registers else 0.1)) / side
  grid = torch.nn.functional.interpolate(
    grid, scale_factor=(scale, scale), mode="bicubic", antialias=registers > 0
  )
  grid = grid.flatten(2).transpose(1, 2)
  state = checkpoints.renamed(
    module.state_dict(),
    ("reg_token", "register_tokens"),
    *([("mlp.fc1", "mlp.w12"), ("mlp.fc2", "mlp.w3")] if "giant" in module.name else []),
  )
  state = {name: tensor.clone() for name, tensor in state.items()}
  state |= {"pos_embed": table, "mask_token": torch.zeros(1, module.embed_dim)}
  if registers:  # timm has no position of the class token.
    module.cls_token.data += table[:, :1]
    module.pos_embed.data = grid
  else:
    module.pos_embed.data = torch.cat([table[:, :1], grid], dim=1)
  return state


@pytest.mark.usual("s_14_lc4-*")
@pytest.mark.parametrize(
  ("name", "size", "registers", "tokens"),
  [("s_14_lc4", "small", 0, 4), ("s_14_reg", "small", 4, 1), ("g_14_reg_lc4", "giant", 4, 4)],
)
def test_torch_hub_has_a_head_in_a_file_of_its_own(
  tmp_path, monkeypatch, name, size, registers, tokens
):
  arguments = {**SIZES, "depth": 5}
  theirs = f"vit_{size}_patch14_{'reg4_' * (registers > 0)}dinov2"
  module = parity.randomize(timm.create_model(theirs, num_classes=0, **arguments))
  module.name = theirs
  backbone = f"dinov2_vit{size[0]}14{'_reg4' * (registers > 0)}"
  torch.save(_as_torch_hub_has_it(module, registers, 6), tmp_path / f"{backbone}_pretrain.pth")
  head = parity.randomize(torch.nn.Linear((1 + tokens) * module.embed_dim, 1000))
  file = tmp_path / f"{backbone}_linear{'4' * (tokens == 4)}_head.pth"
  torch.save(head.state_dict(), file)
  published = models.ARCHITECTURES[f"dinov2_{name}"]
  width = module.blocks[0].mlp.fc2.in_features
  tower = dataclasses.replace(published.tower, width=48, layers=5, heads=3, mlp_width=width)
  small = dataclasses.replace(published, tower=tower, preprocess=models.Preprocess(56))
  monkeypatch.setitem(models.ARCHITECTURES, f"dinov2_{name}", small)

  def forward(pixels):
    found = module.forward_intermediates(
      pixels,
      indices=tokens,
      return_prefix_tokens=True,
      norm=True,
      output_fmt="NLC",
      intermediates_only=True,
    )
    patches = found[-1][0].mean(dim=1)
    return head(torch.cat([*(prefix[:, 0] for _, prefix in found), patches], dim=1))

  model = models.load(str(file))
  parity.assert_same(model, forward, small, within=1e-5)
  whole = {f"backbone.{k}": v for k, v in torch.load(tmp_path / f"{backbone}_pretrain.pth").items()}
  whole |= {f"linear_head.{k}": v for k, v in head.state_dict().items()}
  torch.save(whole, tmp_path / "whole.pth")
  alike = models.load(
    str(tmp_path / "whole.pth"),
    architecture=f"dinov2_{name}",
    mean=small.mean,
    std=small.std,
    preprocess=small.preprocess,
  )
  leaves = zip(*map(jax.tree.leaves, (alike, model)), strict=True)
  assert all(np.array_equal(a, b) for a, b in leaves)
  told = models.describe(str(file))
  assert told.source == f"{file} on {backbone}_pretrain.pth"
  torch.save({k: v + 1 for k, v in head.state_dict().items()}, file)
  assert models.describe(str(file)).sha256 != told.sha256
  (tmp_path / f"{backbone}_pretrain.pth").unlink()
  with pytest.raises(errors.InputError, match=f"{backbone}_pretrain.pth, does not lie beside it"):
    models.load(str(file))
