import json
import shutil

import jax
import numpy as np
import pytest
from etils import epath
from flax import nnx

from jaxbench import errors, models

CONFIG = models.ResNetConfig(
  depths=(1, 2), width=4, num_classes=3, preprocess=models.Preprocess(16)
)


@pytest.fixture
def checkpoint(tmp_path):
  model = models.ResNet(CONFIG, rngs=nnx.Rngs(3))
  models.save(model, tmp_path / "model", "a test")
  return model, epath.Path(tmp_path / "model")


def test_a_saved_model_comes_back_bit_for_bit(checkpoint):
  model, folder = checkpoint
  again = models.load(str(folder))
  assert again.config == CONFIG
  for one, two in zip(jax.tree.leaves(model), jax.tree.leaves(again), strict=True):
    np.testing.assert_array_equal(one, two)


def test_a_loaded_model_shares_the_compiled_program_of_its_architecture():
  program = jax.jit(lambda model, x: model.encode_image(x))
  image = np.zeros((1, 32, 32, 3), np.float32)
  for name in ("digits-clip", "digits-clip-robust"):
    program(models.load(name), image)
  assert program._cache_size() == 1


def test_changed_tensors_are_refused(checkpoint):
  _, folder = checkpoint
  description = json.loads((folder / "model.json").read_text())
  (folder / "model.json").write_text(json.dumps(description | {"sha256": "0" * 64}))
  with pytest.raises(errors.InputError, match="differ from the sha256"):
    models.load(str(folder))


def test_tensors_of_another_shape_are_refused(checkpoint):
  _, folder = checkpoint
  description = json.loads((folder / "model.json").read_text())
  description["config"]["width"] = 8
  (folder / "model.json").write_text(json.dumps(description))
  with pytest.raises(errors.InputError, match="cannot read its tensors"):
    models.load(str(folder))


def test_missing_tensors_are_refused(checkpoint):
  _, folder = checkpoint
  shutil.rmtree(folder / "tensors")
  with pytest.raises(errors.InputError, match="cannot read its tensors"):
    models.load(str(folder))


@pytest.mark.parametrize("content", ["not json", "{}", '{"architecture": "vgg"}'])
def test_a_broken_description_is_refused(checkpoint, content):
  _, folder = checkpoint
  (folder / "model.json").write_text(content)
  with pytest.raises(errors.InputError, match="not a model description"):
    models.load(str(folder))


@pytest.mark.parametrize(
  ("key", "value"),
  [
    ("num_classes", "ten"),
    ("mean", [0.5]),
    ("depths", [1, "2"]),
    ("bottleneck", 1),
    ("preprocess", {"size": 32}),
    ("surprise", 1),
  ],
)
def test_a_value_of_the_wrong_kind_is_refused(checkpoint, key, value):
  _, folder = checkpoint
  description = json.loads((folder / "model.json").read_text())
  description["config"][key] = value
  (folder / "model.json").write_text(json.dumps(description))
  with pytest.raises(errors.InputError, match=r"not a model description .* in place of "):
    models.describe(str(folder))


def test_a_field_that_came_later_has_its_default(checkpoint):
  _, folder = checkpoint
  description = json.loads((folder / "model.json").read_text())
  del description["config"]["groups"]
  (folder / "model.json").write_text(json.dumps(description))
  assert models.describe(str(folder)).config == CONFIG
  del description["config"]["mean"]  # It has a default too, which would be a guess.
  (folder / "model.json").write_text(json.dumps(description))
  with pytest.raises(errors.InputError, match="not a model description"):
    models.describe(str(folder))


def test_nothing_is_overwritten(checkpoint):
  model, folder = checkpoint
  with pytest.raises(FileExistsError):
    models.save(model, folder, "a test")


def test_options_of_foreign_formats_are_refused(checkpoint):
  _, folder = checkpoint
  with pytest.raises(errors.InputError, match="image_size is fixed in this checkpoint"):
    models.load(str(folder), image_size=32)
