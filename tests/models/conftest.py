"""Small sizes of an architecture under names of their own."""

import pytest
import torch
from references import checkpoints, parity

from jaxbench import models
from jaxbench.models.architectures import family
from jaxbench.models.weights import timm


@pytest.fixture
def register(monkeypatch):
  """Gives the name "small", ours and where timm has such also timm's, to a small size."""

  def register(config):
    monkeypatch.setitem(models.ARCHITECTURES, "small", config)
    if family(config).timm is not None:
      monkeypatch.setitem(timm.NAMES, "small", ("small", {}))

  return register


@pytest.fixture
def load_bare(tmp_path, register):
  """Loads the tensors of a state dict as a small size of an architecture."""

  def load_bare(config, state, suffix="safetensors"):
    register(config)
    file = tmp_path / f"weights.{suffix}"
    if suffix == "pth":
      torch.save(state, file)
    else:
      checkpoints.write_safetensors(state, file)
    return models.load(str(file), architecture="small")

  return load_bare


@pytest.fixture
def load_timm(tmp_path, register):
  """Loads a module of timm, from a folder as timm writes it, as a small size of an architecture."""

  def load_timm(config, module):
    register(config)
    return models.load(checkpoints.write_timm(module.state_dict(), tmp_path))

  return load_timm


@pytest.fixture
def write_timm(tmp_path):
  """Writes a network of timm, of other sizes than its name has, as timm does; returns both."""
  from references.writers import timm as library

  def write_timm(name, **arguments):
    torch.manual_seed(0)
    module = parity.randomize(library.create_model(name, **arguments))
    size = arguments["img_size"]
    module.pretrained_cfg = {**module.pretrained_cfg, "input_size": (3, size, size)}
    built = {key: value for key, value in arguments.items() if key != "num_classes"}
    library.models.save_for_hf(module, tmp_path, model_args=built, safe_serialization=True)
    return module, str(tmp_path)

  return write_timm
