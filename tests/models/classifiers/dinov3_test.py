import pytest
import torch
from references import parity
from references.writers import timm

from jaxbench import models
from jaxbench.models.classifiers import dinov3
from jaxbench.models.weights import checkpoint
from jaxbench.models.weights.timm import named

SIZES = {"embed_dim": 48, "depth": 2, "num_heads": 3, "num_classes": 5, "img_size": 64}


@pytest.mark.slow
@pytest.mark.parametrize(
  ("name", "arguments"),
  [
    ("vit_small_patch16_dinov3", {}),
    ("vit_small_patch16_dinov3_qkvb", {"global_pool": "token"}),
    ("vit_small_plus_patch16_dinov3", {"global_pool": "token"}),
  ],
)
def test_timm(write_timm, name, arguments):
  theirs, folder = write_timm(name, **SIZES, **arguments)
  model = models.load(folder)
  parity.assert_same(model, theirs, model.config, within=1e-5)
  larger = models.load(folder, image_size=96)
  parity.assert_same(larger, theirs, larger.config, gradient=False, within=1e-5)


@pytest.mark.usual("vit_small_*dinov3")
@pytest.mark.parametrize("theirs", dinov3.FAMILY.timm.names)
def test_published_sizes_have_the_tensors_of_timm(theirs):
  with torch.device("meta"):
    module = timm.create_model(theirs, num_classes=1000)
  published = sum(spec.size for spec in checkpoint.shapes(named(theirs)).values())
  assert published == sum(p.numel() for p in module.parameters())
