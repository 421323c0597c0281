"""`python -m jaxbench.models.convert` through the command line."""

import jax
import numpy as np
import pytest
import torch
from references import checkpoints, networks
from references.command import ROOT, call

from jaxbench import models

PROGRAM = "jaxbench.models.convert"


def _assert_equal(one, two):
  for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(two), strict=True):
    assert a.dtype == b.dtype
    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_converted_siglip_needs_nothing_of_its_source(tmp_path, dtype):
  source = tmp_path / "source"
  source.mkdir()
  checkpoints.write_tokenizer(source)
  reference = checkpoints.siglip().to(dtype)
  checkpoints.write_huggingface(reference, source, checkpoints.SQUASH_PROCESSOR)
  original = models.load(str(source))
  tokens = original.tokenize(["a cat"])
  call(PROGRAM, source, tmp_path / "converted")
  moved = tmp_path / "moved"
  (tmp_path / "converted").rename(moved)
  (source / "tokenizer.json").unlink()
  converted = models.load(str(moved))
  _assert_equal(converted, original)
  assert converted.config == original.config
  np.testing.assert_array_equal(converted.tokenize(["a cat"]), tokens)
  described = models.describe(str(moved))
  assert str(source) in described.source
  assert "sha256" in described.source


@pytest.mark.slow
def test_bare_tensors_with_an_architecture(tmp_path):
  torch.manual_seed(0)
  reference = networks.ResNet((2, 2, 2, 2), 64, False, 1000)
  file = checkpoints.write_safetensors(reference.state_dict(), tmp_path / "r.safetensors")
  out, _ = call(PROGRAM, file, tmp_path / "out", "--architecture=resnet18")
  assert "resnet, 11,689,512 parameters" in out
  _assert_equal(models.load(str(tmp_path / "out")), models.load(file, architecture="resnet18"))


def test_bare_tensors_of_ones_own_training(tmp_path):
  torch.manual_seed(0)
  reference = networks.ResNet((2, 2, 2, 2), 64, False, 1000)
  file = checkpoints.write_safetensors(reference.state_dict(), tmp_path / "r.safetensors")
  told = ["--mean=0.5,0.4,0.3", "--std=0.1,0.2,0.3"]
  preprocess = "--preprocess=preprocess(size=192, squash=True, margin='floor')"
  call(PROGRAM, file, tmp_path / "out", "--architecture=resnet18", *told, preprocess)
  config = models.describe(str(tmp_path / "out")).config
  assert (config.mean, config.std) == ((0.5, 0.4, 0.3), (0.1, 0.2, 0.3))
  assert config.preprocess == models.Preprocess(192, squash=True, margin="floor")


@pytest.mark.parametrize(
  ("arguments", "message"),
  [
    (["digits-clip", "dst", "--mean=a,b"], "--mean=a,b is not R,G,B"),
    (["digits-clip", "dst", "--preprocess=centre"], "unknown preprocess 'centre'"),
    (["digits-clip", "dst", "--preprocess=preprocess()"], "missing 1 required"),
    (["nowhere", "dst"], "unknown model 'nowhere'"),
    (["digits-clip", ROOT / "README.md"], "README.md exists already"),
    (["one"], "usage: python -m jaxbench.models.convert SRC DST"),
  ],
)
def test_wrong_input_is_one_line(arguments, message):
  _, err = call(PROGRAM, *arguments, status=2)
  assert message in err
  assert err.count("\n") == 1
