import pytest
import torch
from references import checkpoints, networks, parity

from jaxbench import models
from jaxbench.models.classifiers.vgg import VGGConfig

SMALL = {"num_classes": 5, "preprocess": models.Preprocess(32, 36, "bilinear")}


@pytest.mark.slow
@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_torchvision(load_bare, batch_norm, suffix):
  config = VGGConfig(depths=(1, 2), width=8, hidden=16, batch_norm=batch_norm, **SMALL)
  torch.manual_seed(0)
  reference = parity.randomize(networks.vgg((1, 2), batch_norm, 8, 16, 5))
  model = load_bare(config, reference.state_dict(), suffix)
  parity.assert_same(model, reference, config, gradient=suffix == "pth")


def test_timm_and_its_convolutional_head(tmp_path, register):
  register(VGGConfig(depths=(1, 2), width=8, hidden=16, **SMALL))
  torch.manual_seed(0)
  reference = parity.randomize(networks.vgg((1, 2), False, 8, 16, 5))
  named = {}
  for name, tensor in reference.state_dict().items():
    name = name.replace("classifier.0", "pre_logits.fc1").replace("classifier.3", "pre_logits.fc2")
    name = name.replace("classifier.6", "head.fc")
    if name == "pre_logits.fc1.weight":
      tensor = tensor.reshape(16, -1, 7, 7)
    named[name] = tensor[:, :, None, None] if name == "pre_logits.fc2.weight" else tensor
  model = models.load(checkpoints.write_timm(named, tmp_path))
  parity.assert_same(model, reference, model.config, gradient=False)
