import pytest
import torch
import transformers as hf
from references import checkpoints, parity
from references.writers import timm

from jaxbench import errors, models
from jaxbench.models.classifiers import beit
from jaxbench.models.weights import checkpoint

SIZES = {"embed_dim": 48, "depth": 2, "num_heads": 3, "num_classes": 5, "img_size": 64}


@pytest.mark.parametrize("pool", ["avg", "token"])
def test_timm(write_timm, pool):
  theirs, folder = write_timm("beit_base_patch16_224", global_pool=pool, **SIZES)
  model = models.load(folder)
  parity.assert_same(model, theirs, model.config, within=1e-5)


def test_transformers(tmp_path):
  torch.manual_seed(0)
  config = hf.BeitConfig(**checkpoints.VISION, num_labels=5, use_relative_position_bias=True)
  theirs = parity.randomize(hf.BeitForImageClassification(config))
  folder = checkpoints.write_huggingface(theirs, tmp_path, checkpoints.SQUASH_PROCESSOR)
  model = models.load(folder)
  parity.assert_same(model, lambda x: theirs(x).logits, model.config, within=1e-5)


def test_what_is_not_built_is_refused(tmp_path, write_timm):
  _, folder = write_timm("beit_base_patch16_224", **SIZES)
  with pytest.raises(errors.InputError, match="of 64 pixels, and are not interpolated"):
    models.load(folder, image_size=96)
  theirs = hf.BeitForImageClassification(hf.BeitConfig(**checkpoints.VISION, num_labels=5))
  folder = checkpoints.write_huggingface(theirs, tmp_path, checkpoints.SQUASH_PROCESSOR)
  with pytest.raises(errors.InputError, match="use_relative_position_bias is not true"):
    models.load(folder)


@pytest.mark.parametrize("ours", beit.FAMILY.named)
def test_published_sizes_have_the_tensors_of_timm(ours):
  theirs = next(name for name, (of, _) in beit.FAMILY.timm.names.items() if of == ours)
  with torch.device("meta"):
    module = timm.create_model(theirs, num_classes=1000)
  published = sum(spec.size for spec in checkpoint.shapes(models.ARCHITECTURES[ours]).values())
  assert published == sum(p.numel() for p in module.parameters())
