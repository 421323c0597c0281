import re

from references import checkpoints, families, parity

from jaxbench import models
from jaxbench.models.convnext import ConvNeXtConfig

CONFIG = ConvNeXtConfig(
  depths=(1, 2, 1),
  widths=(8, 12, 16),
  head_epsilon=1e-12,
  num_classes=5,
  preprocess=models.Preprocess(32),
)


def test_torchvision_convnext(load_bare):
  reference = families.convnext()
  state = reference.state_dict()
  stages = {f"convnext.encoder.stages.{i}.layers.": f"features.{2 * i + 1}." for i in range(3)}
  renamed = {}
  for name, tensor in state.items():
    for old, new in stages.items():
      name = name.replace(old, new)
    name = re.sub(r"^(features\.\d+\.\d+)\.", r"\1.block.", name)
    for old, new in (
      ("convnext.embeddings.patch_embeddings", "features.0.0"),
      ("convnext.embeddings.layernorm", "features.0.1"),
      ("convnext.encoder.stages.1.downsampling_layer", "features.2"),
      ("convnext.encoder.stages.2.downsampling_layer", "features.4"),
      ("convnext.layernorm", "classifier.0"),
      ("classifier.weight", "classifier.2.weight"),
      ("classifier.bias", "classifier.2.bias"),
      ("block.dwconv", "block.0"),
      ("block.layernorm", "block.2"),
      ("block.pwconv1", "block.3"),
      ("block.pwconv2", "block.5"),
      ("block.layer_scale_parameter", "layer_scale"),
    ):
      name = name.replace(old, new) if not name.startswith("classifier.0") else name
    renamed[name] = tensor[:, None, None] if name.endswith("layer_scale") else tensor
  model = load_bare(CONFIG, renamed)
  parity.assert_same(model, lambda p: reference(p).logits, CONFIG, gradient=False)


def test_timm(tmp_path, register):
  register(CONFIG)
  reference = families.convnext()
  named = {}
  for name, tensor in reference.state_dict().items():
    name = name.replace("convnext.embeddings.patch_embeddings", "stem.0")
    name = name.replace("convnext.embeddings.layernorm", "stem.1")
    name = name.replace("convnext.layernorm", "head.norm").replace("classifier", "head.fc")
    name = name.replace("convnext.encoder.", "").replace("downsampling_layer", "downsample")
    name = name.replace(".layers.", ".blocks.").replace("dwconv", "conv_dw")
    name = name.replace("pwconv", "mlp.fc").replace(".layernorm.", ".norm.")
    named[name.replace("layer_scale_parameter", "gamma")] = tensor
  model = models.load(checkpoints.write_timm(named, tmp_path))
  parity.assert_same(model, lambda p: reference(p).logits, model.config, gradient=False)
