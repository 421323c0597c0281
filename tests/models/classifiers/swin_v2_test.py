import pytest
from references import checkpoints, parity
from references.writers import timm

from jaxbench import models
from jaxbench.models.classifiers.swin_v2 import SwinV2Config

CONFIG = SwinV2Config(
  depths=(2, 2),
  heads=(2, 4),
  width=16,
  window=4,
  trained_windows=(3, 2),
  num_classes=5,
  preprocess=models.Preprocess(32),
)


@pytest.fixture(scope="module")
def reference():
  sizes = {"depths": (2, 2), "num_heads": (2, 4), "embed_dim": 16, "window_size": 4}
  module = timm.create_model(
    "swinv2_tiny_window8_256",
    img_size=32,
    num_classes=5,
    pretrained_window_sizes=CONFIG.trained_windows,
    **sizes,
  )
  return parity.randomize(module)


@pytest.mark.slow
def test_timm(load_timm, reference):
  model = load_timm(CONFIG, reference)
  parity.assert_same(model, reference, model.config, within=1e-5)


def test_its_authors_files_and_scores_at_their_bound(tmp_path, register, reference):
  register(CONFIG)
  reference.layers[0].blocks[1].attn.logit_scale.data += 5.0
  state = checkpoints.renamed(
    reference.state_dict(),
    (r"^layers\.1\.downsample", "layers.0.downsample"),
    (r"^head\.fc", "head"),
  )
  buffers = {
    f"layers.0.blocks.1.attn.{name}": getattr(reference.layers[0].blocks[1].attn, name)
    for name in ("relative_coords_table", "relative_position_index")
  }
  file = checkpoints.write_safetensors(state | buffers, tmp_path / "swin.safetensors")
  images = {"mean": CONFIG.mean, "std": CONFIG.std, "preprocess": CONFIG.preprocess}
  model = models.load(file, architecture="small", **images)
  parity.assert_same(model, reference, CONFIG, gradient=False, within=1e-5)
