import pytest
import torch
from references import networks, parity

from jaxbench import models
from jaxbench.models.classifiers.alexnet import AlexNetConfig

CONFIG = AlexNetConfig(num_classes=5, preprocess=models.Preprocess(64))


@pytest.mark.usual("safetensors")
@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_torchvision(load_bare, suffix):
  torch.manual_seed(0)
  reference = parity.randomize(networks.alexnet(5))
  model = load_bare(CONFIG, reference.state_dict(), suffix)
  parity.assert_same(model, reference, CONFIG, gradient=suffix == "pth")
