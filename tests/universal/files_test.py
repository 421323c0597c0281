"""Files of universal perturbations, and images with them, against the formulas in torch."""

import json

import numpy as np
import pytest
import torch
from safetensors import numpy as safetensors
from torch.nn import functional

from jaxbench import errors, universal
from jaxbench.universal import files


def _write(folder, tensors, **told):
  folder.mkdir()
  safetensors.save_file(tensors, folder / "model.safetensors")
  (folder / "config.json").write_text(json.dumps(told))
  return folder


def _delta(side, scale):
  return np.random.default_rng(0).normal(0, scale, (1, 3, side, side)).astype(np.float32)


def _images(side):
  return np.random.default_rng(1).random((2, side, side, 3), np.float32)


def _torch(images):
  return torch.from_numpy(images.transpose(0, 3, 1, 2).copy())


def _equal(found, expected):
  np.testing.assert_allclose(found, expected.numpy().transpose(0, 2, 3, 1), atol=1e-6)


@pytest.mark.parametrize("side", [16, 40])
@pytest.mark.parametrize("epsilon", [None, 4 / 255, 16 / 255])
def test_within_a_radius(side, epsilon, tmp_path):
  delta = _delta(16, 0.04)  # Beyond its radius here and there, as a file may be.
  perturbation = universal.load(_write(tmp_path / "a", {"delta": delta}, epsilon=12 / 255))
  images = _images(side)
  found = universal.apply(perturbation, images, epsilon)
  radius = 12 / 255 if epsilon is None else epsilon
  change = torch.clamp(torch.from_numpy(delta), -12 / 255, 12 / 255) * radius / (12 / 255)
  if side != 16:
    change = functional.interpolate(change, (side, side), mode="bilinear", align_corners=False)
  change = torch.clamp(change, -radius, radius)
  _equal(found, torch.clamp(_torch(images) + change, 0, 1))
  assert np.abs(found - images).max() <= radius + 1e-6


def test_a_penalised_one_is_a_tanh_without_a_radius(tmp_path):
  delta = _delta(8, 0.3)
  perturbation = universal.load(_write(tmp_path / "a", {"delta_param": delta}))
  images = _images(8)
  change = torch.tanh(torch.from_numpy(delta))
  _equal(universal.apply(perturbation, images), torch.clamp(_torch(images) + change, 0, 1))
  with pytest.raises(errors.InputError, match="learnt in no radius"):
    universal.apply(perturbation, images, 8 / 255)


def test_a_patch_covers_its_square_and_nothing_else(tmp_path):
  patch = np.random.default_rng(0).uniform(-0.2, 1.2, (1, 3, 224, 224)).astype(np.float32)
  # Its class has a second tensor that nothing reads.
  folder = _write(tmp_path / "a", {"uap": patch, "delta": np.zeros_like(patch)})
  images = _images(224)
  found = np.asarray(universal.apply(universal.load(folder), images))
  inside = np.zeros((224, 224, 1), bool)
  inside[172:210, 172:210] = True
  pixels = np.clip(patch[0].transpose(1, 2, 0), 0, 1)  # What it learnt beyond black and white.
  np.testing.assert_array_equal(found, np.where(inside, pixels, images))
  with pytest.raises(errors.InputError, match="for images of 224 pixels"):
    universal.apply(universal.load(folder), _images(32))


def test_what_is_saved_is_loaded(tmp_path):
  found = universal.load("digits-universal")
  universal.save(found, tmp_path / "a")
  again = universal.load(tmp_path / "a")
  np.testing.assert_array_equal(again.delta, found.delta)
  assert (again.epsilon, again.told) == (found.epsilon, found.told)
  assert files.digest(tmp_path / "a") == files.digest("digits-universal")


@pytest.mark.parametrize(
  ("tensors", "told", "message"),
  [
    ({"x": np.zeros(3, np.float32)}, {}, "holds x, and no uap or delta_param or delta"),
    ({"delta": np.zeros((3, 4), np.float32)}, {}, "not side x side x 3"),
    ({"delta": np.zeros((2, 3, 8, 8), np.float32)}, {}, "not side x side x 3"),  # Two of them.
    ({"delta": np.full((8, 8, 3), np.nan, np.float32)}, {}, "no numbers"),
    ({"delta": np.zeros((8, 8, 3), np.float32)}, {"epsilon": 12}, "not in .0, 1."),
    ({"uap": np.zeros((8, 8, 3), np.float32)}, {}, "known for 224 pixels"),
  ],
)
def test_what_is_no_perturbation_is_refused(tensors, told, message, tmp_path):
  with pytest.raises(errors.InputError, match=message):
    universal.load(_write(tmp_path / "a", tensors, **told))


@pytest.mark.parametrize(
  ("place", "message"),
  [
    ("nowhere", "no such folder"),
    ("{folder}", "holds no universal perturbation"),
    ("nobody/nothing", "--config.download=True"),
  ],
)
def test_what_is_not_there_is_told(place, message, tmp_path):
  with pytest.raises(errors.InputError, match=message):
    universal.load(place.format(folder=tmp_path))
