"""Bare tensors, and the ways in which files are bad."""

import re
import sys

import numpy as np
import pytest
import torch
from references import checkpoints, networks, parity

from jaxbench import errors, models

RESNET = models.ResNetConfig(
  depths=(1, 2), width=8, num_classes=5, preprocess=models.Preprocess(32, 36, "bilinear")
)


def test_without_an_architecture_the_way_out_is_told(tmp_path):
  file = checkpoints.write_safetensors({"a": torch.zeros(1)}, tmp_path / "a.safetensors")
  with pytest.raises(errors.InputError, match=r"name the architecture .*--architecture"):
    models.load(file)
  with pytest.raises(errors.InputError, match="near it are resnet50"):
    models.load(file, architecture="resnet5")
  with pytest.raises(errors.InputError, match="needs the tokenizer"):
    models.load(file, architecture="ViT-B-16-SigLIP")


def _state():
  torch.manual_seed(0)
  return networks.ResNet((1, 2), 8, False, 5).state_dict()


def _load(tmp_path, content, name="weights.safetensors"):
  file = tmp_path / name
  if isinstance(content, bytes):
    file.write_bytes(content)
  else:
    checkpoints.write_safetensors(content, file)
  return models.load(str(file), architecture="small")


BAD_TENSORS = {
  "missing": (lambda s: s.pop("layer1.0.conv1.weight"), r"lacks layer1\.0\.conv1\.weight$"),
  "surplus": (lambda s: s.update(extra=torch.ones(2)), "has no place for extra"),
  "shape": (lambda s: s.update({"fc.bias": torch.ones(6)}), r"fc\.bias has shape \[6\]"),
  "rank": (lambda s: s.update({"conv1.weight": torch.ones(8, 3)}), r"conv1\.weight has shape"),
  "empty": (lambda s: s.update({"fc.weight": torch.ones(0, 8)}), r"fc\.weight has shape \[0, 8\]"),
  "integers": (
    lambda s: s.update({"fc.weight": s["fc.weight"].to(torch.uint8)}),
    r"fc\.weight holds uint8, not floats",
  ),
  "nan": (lambda s: s["fc.weight"].view(-1)[3:4].fill_(torch.nan), r"fc\.weight holds NaN"),
}


@pytest.mark.parametrize("name", BAD_TENSORS)
def test_bad_tensors_are_named(tmp_path, register, name):
  register(RESNET)
  change, message = BAD_TENSORS[name]
  state = _state()
  change(state)
  with pytest.raises(errors.InputError, match=message) as caught:
    _load(tmp_path, state)
  assert "weights.safetensors" in str(caught.value)


def test_truncated_files_are_refused(tmp_path, register):
  register(RESNET)
  checkpoints.write_safetensors(_state(), tmp_path / "whole")
  whole = (tmp_path / "whole").read_bytes()
  for length in (0, 7, 500, len(whole) - 1):
    with pytest.raises(errors.InputError, match="truncated, or not a safetensors file"):
      _load(tmp_path, whole[:length])


@pytest.mark.parametrize("name", ["weights.safetensors", "weights.pth"])
def test_what_a_failed_download_leaves_is_called_by_its_name(tmp_path, register, name):
  register(RESNET)
  with pytest.raises(errors.InputError, match="an HTML page"):
    _load(tmp_path, b"\n<!DOCTYPE html><html>Quota exceeded</html>", name)
  with pytest.raises(errors.InputError, match="a Git LFS pointer"):
    _load(tmp_path, b"version https://git-lfs.github.com/spec/v1\noid sha256:1", name)


class _Evil:
  def __reduce__(self):
    return (print, ("code was run",))


def test_a_pickle_that_wants_code_is_refused(tmp_path, register, capsys):
  register(RESNET)
  torch.save({"fc.weight": _Evil()}, tmp_path / "evil.pth")
  with pytest.raises(errors.InputError, match="wants to run code"):
    models.load(str(tmp_path / "evil.pth"), architecture="small")
  assert "code was run" not in capsys.readouterr().out


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_torchscript_is_refused_with_a_way_round_that_works(tmp_path, register):
  register(RESNET)
  reference = parity.randomize(networks.ResNet((1, 2), 8, False, 5))
  file = tmp_path / "scripted.pt"
  torch.jit.trace(reference, torch.zeros(1, 3, 32, 32)).save(str(file))
  with pytest.raises(errors.InputError, match="TorchScript archive") as caught:
    models.load(str(file), architecture="small")
  way_round = re.search(r"`(.*)`", str(caught.value))[1]
  eval(way_round, {"torch": torch, "SRC": str(file), "DST": str(tmp_path / "plain.pt")})
  model = models.load(str(tmp_path / "plain.pt"), architecture="small")
  parity.assert_same(model, reference, RESNET, gradient=False)


def test_training_checkpoints_and_old_formats_are_read(tmp_path, register):
  register(RESNET)
  state = _state()
  wrapped = {"epoch": 3, "state_dict": {f"module.{name}": t for name, t in state.items()}}
  torch.save(wrapped, tmp_path / "wrapped.pt")
  torch.save(state, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
  half = {n: t.bfloat16() if t.dtype.is_floating_point else t for n, t in state.items()}
  torch.save(half, tmp_path / "half.bin")
  for name in ("wrapped.pt", "old.pth"):
    model = models.load(str(tmp_path / name), architecture="small")
    np.testing.assert_array_equal(model.fc.kernel[...], state["fc.weight"].numpy().T)
  model = models.load(str(tmp_path / "half.bin"), architecture="small")
  assert str(model.fc.kernel.dtype) == "bfloat16"


@pytest.mark.parametrize("averaged", ["state_dict_ema", "model_ema"])
def test_of_two_networks_in_a_file_none_is_taken(tmp_path, register, averaged):
  register(RESNET)
  file = tmp_path / "training.pt"
  one, two = _state(), {name: tensor + 1 for name, tensor in _state().items()}
  optimizer = {"state": {0: {"exp_avg": torch.ones(2)}}, "param_groups": [{"lr": 0.1}]}
  whole = {"state_dict": one, averaged: two, "optimizer": optimizer, "epoch": 3}
  torch.save(whole, file)
  with pytest.raises(errors.InputError, match=rf"2 networks, state_dict, .*key='{averaged}'"):
    models.load(str(file), architecture="small")
  torch.save({"ema": {"decay": 0.9, "module": two}, "epoch": 3}, tmp_path / "only.pt")
  for asked in (
    {"path_or_name": str(file), "key": averaged},
    {"path_or_name": f"{tmp_path}/only.pt"},
  ):
    model = models.load(**asked, architecture="small")
    np.testing.assert_array_equal(model.fc.bias[...], one["fc.bias"].numpy() + 1)
  torch.save({"model": one, "ema": {"decay": 0.9, "module": two}}, file)
  with pytest.raises(errors.InputError, match=r"2 networks, model, ema\.module;"):
    models.load(str(file), architecture="small")


@pytest.mark.parametrize("content", [b"garbage", {"a": 1}, [1, 2]])
def test_what_is_no_state_dict_is_refused(tmp_path, register, content):
  register(RESNET)
  file = tmp_path / "x.pth"
  if isinstance(content, bytes):
    file.write_bytes(content)
  else:
    torch.save(content, file)
  with pytest.raises(errors.InputError, match=r"no checkpoint of torch|not a state dict"):
    models.load(str(file), architecture="small")


def test_without_torch_its_files_are_refused_and_safetensors_are_not(
  tmp_path, register, monkeypatch
):
  register(RESNET)
  torch.save(_state(), tmp_path / "a.pth")
  monkeypatch.setitem(sys.modules, "torch", None)
  with pytest.raises(errors.InputError, match="pip install torch"):
    models.load(str(tmp_path / "a.pth"), architecture="small")


def test_a_file_without_tensors_lacks_all_of_them(tmp_path, register):
  register(RESNET)
  with pytest.raises(errors.InputError, match=r"another architecture.* lacks bn1\.bias, bn1\.run"):
    _load(tmp_path, {})
