import pytest
import torch
from references import checkpoints, parity
from references.writers import timm

from jaxbench import errors, models
from jaxbench.models.classifiers.swin_stages import SwinConfig

CONFIG = SwinConfig(
  depths=(2, 2), heads=(2, 4), width=16, window=4, num_classes=5, preprocess=models.Preprocess(32)
)


@pytest.fixture(scope="module")
def reference():
  sizes = {"depths": (2, 2), "num_heads": (2, 4), "embed_dim": 16, "window_size": 4}
  module = timm.create_model("swin_tiny_patch4_window7_224", img_size=32, num_classes=5, **sizes)
  return parity.randomize(module)


@pytest.mark.slow
def test_timm(load_timm, reference):
  model = load_timm(CONFIG, reference)
  parity.assert_same(model, reference, model.config, within=1e-5)


def test_torchvision(load_bare, reference):
  state = checkpoints.renamed(
    reference.state_dict(),
    (r"^patch_embed\.proj", "features.0.0"),
    (r"^patch_embed\.norm", "features.0.2"),
    (r"^layers\.1\.downsample", "features.2"),
    (r"^layers\.0\.blocks", "features.1"),
    (r"^layers\.1\.blocks", "features.3"),
    (r"mlp\.fc1", "mlp.0"),
    (r"mlp\.fc2", "mlp.3"),
    (r"^head\.fc", "head"),
  )
  index = {"features.1.0.attn.relative_position_index": torch.zeros(256, dtype=torch.long)}
  model = load_bare(CONFIG, state | index)
  parity.assert_same(model, reference, CONFIG, gradient=False, within=1e-5)


def test_its_authors_files(tmp_path, register, reference):
  register(CONFIG)
  state = checkpoints.renamed(
    reference.state_dict(),
    (r"^layers\.1\.downsample", "layers.0.downsample"),
    (r"^head\.fc", "head"),
  )
  file = checkpoints.write_safetensors(state, tmp_path / "swin.safetensors")
  images = {"mean": CONFIG.mean, "std": CONFIG.std, "preprocess": CONFIG.preprocess}
  model = models.load(file, architecture="small", **images)
  parity.assert_same(model, reference, CONFIG, gradient=False, within=1e-5)


def test_windows_that_do_not_fill_the_image_are_refused():
  with pytest.raises(errors.InputError, match="40 pixels are not filled by windows of 4 in stage"):
    models.abstract(SwinConfig(**{**vars(CONFIG), "preprocess": models.Preprocess(40)}))
