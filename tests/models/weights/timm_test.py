"""timm's folders."""

import json

import pytest
import torch
from references import checkpoints, networks, parity

from jaxbench import errors, models
from jaxbench.models.preprocess import Preprocess

SMALL = {"num_classes": 5, "preprocess": Preprocess(32)}


def test_resnet_and_the_size_it_is_tested_at(tmp_path, register):
  register(models.ResNetConfig(depths=(1, 2), width=8, **SMALL))
  torch.manual_seed(0)
  reference = parity.randomize(networks.ResNet((1, 2), 8, False, 5))
  sizes = {"test_input_size": [3, 48, 48], "test_crop_pct": 0.96, "interpolation": "bilinear"}
  model = models.load(checkpoints.write_timm(reference.state_dict(), tmp_path, **sizes))
  assert model.preprocess == Preprocess(48, 50, "bilinear")
  parity.assert_same(model, reference, model.config, gradient=False)


@pytest.mark.parametrize(
  ("change", "message"),
  [
    ({"architecture": "swin_tiny"}, "timm's architecture 'swin_tiny' is not built"),
    ({"model_args": {"in_chans": 1}}, "model_args: 'in_chans' is set to 1: not supported"),
    ({"architecture": None}, "lacks 'architecture'"),
  ],
)
def test_other_architectures_are_refused(tmp_path, register, change, message):
  register(models.ResNetConfig(depths=(1, 2), width=8, **SMALL))
  folder = checkpoints.write_timm(networks.ResNet((1, 2), 8, False, 5).state_dict(), tmp_path)
  config = json.loads((tmp_path / "config.json").read_text())
  (tmp_path / "config.json").write_text(json.dumps(config | change))
  with pytest.raises(errors.InputError, match=message):
    models.load(folder)
