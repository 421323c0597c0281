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
