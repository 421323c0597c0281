import pytest
from references import checkpoints, parity
from references.writers import timm

from jaxbench import models
from jaxbench.models.classifiers.densenet import DenseNetConfig

CONFIG = DenseNetConfig(depths=(2, 1, 2), growth=8, num_classes=5, preprocess=models.Preprocess(32))


@pytest.fixture(scope="module")
def reference():
  sizes = {"growth_rate": 8, "block_config": (2, 1, 2), "num_classes": 5}
  return parity.randomize(timm.models.densenet.DenseNet(**sizes))


def test_timm(load_timm, reference):
  model = load_timm(CONFIG, reference)
  parity.assert_same(model, reference, model.config, within=1e-5)


@pytest.mark.parametrize("dot", ["", "."])
def test_torchvision(load_bare, reference, dot):
  dotted = (r"(denselayer\d\.(norm|conv))([12])", rf"\1{dot}\3")
  model = load_bare(CONFIG, checkpoints.renamed(reference.state_dict(), dotted))
  parity.assert_same(model, reference, CONFIG, gradient=False, within=1e-5)
