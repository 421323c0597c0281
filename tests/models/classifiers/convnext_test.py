import re

import jax
import pytest
from references import families, parity
from references.writers import timm

from jaxbench import models
from jaxbench.models.classifiers.convnext import ConvNeXtConfig

SMALL = {"num_classes": 5, "preprocess": models.Preprocess(32)}
SIZES = {"depths": (1, 1, 2, 1), "widths": (8, 12, 16, 20)}
OF_TIMM = {"depths": SIZES["depths"], "dims": SIZES["widths"], "num_classes": 5}


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
  config = ConvNeXtConfig(depths=(1, 2, 1), widths=(8, 12, 16), head_epsilon=1e-12, **SMALL)
  model = load_bare(config, renamed)
  parity.assert_same(model, lambda p: reference(p).logits, config, gradient=False)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["convnext_tiny", "convnext_atto", "convnext_xxlarge"])
def test_timm(load_timm, name):
  epsilon = 1e-5 if name == "convnext_xxlarge" else 1e-6
  config = ConvNeXtConfig(**SIZES, epsilon=epsilon, head_epsilon=epsilon, **SMALL)
  reference = timm.create_model(name, **OF_TIMM)
  model = load_timm(config, parity.randomize(reference))
  parity.assert_same(model, reference, model.config, within=1e-5)


def test_the_trunk_stands_alone(load_timm):
  reference = timm.create_model("convnext_tiny", **OF_TIMM)
  model = load_timm(ConvNeXtConfig(**SIZES, **SMALL), parity.randomize(reference))
  parity.assert_same(
    jax.tree_util.Partial(lambda model, x: model.features(x), model),
    lambda pixels: reference.forward_features(pixels).permute(0, 2, 3, 1),
    ConvNeXtConfig(depths=(1,), widths=(8,), mean=(0, 0, 0), std=(1, 1, 1), **SMALL),
    gradient=False,
  )
