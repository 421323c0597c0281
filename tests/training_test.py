import json
import os
import pathlib
import subprocess
import sys

import jax
import numpy as np
import pytest
from etils import epath

from jaxbench import attacks, config, data, errors, models, training
from jaxbench.models.catalog import EMBEDDED


def _digests(folder):
  return {n: json.loads((folder / n / "model.json").read_text())["sha256"] for n in EMBEDDED}


@pytest.fixture(autouse=True)
def _as_users_run_it():
  """Optax itself promotes."""
  with jax.numpy_dtype_promotion("standard"):
    yield


@pytest.mark.slow
def test_training_twice_gives_the_same_bits(tmp_path):
  settings = config.Training(steps=3, robust_steps=2, batch_size=16)
  folders = [epath.Path(tmp_path / name) for name in ("one", "two")]
  for folder in folders:
    training.run(settings, folder)
  assert _digests(folders[0]) == _digests(folders[1])


def test_nothing_is_overwritten(tmp_path):
  (tmp_path / "precious").write_text("")
  with pytest.raises(errors.InputError, match="is not empty"):
    training.run(config.Training(), epath.Path(tmp_path))


def _accuracies(model, images, labels):
  """As images are, and under PGD."""
  classifier = model
  if isinstance(model, models.CLIP):
    names = data.load("digits").class_names
    classifier = models.zero_shot(model, names, models.templates("simple"))
  key = jax.random.key(0)
  found = attacks.run(attacks.pgd(steps=10), classifier, images, labels, 4 / 255, key)
  clean = np.asarray(classifier(images)).argmax(axis=1) == labels
  return np.array([clean.mean(), 1 - found.success.mean()])


@pytest.mark.slow
def test_the_shipped_models_are_what_the_config_trains(scans, tmp_path):
  """On the processor they come from bit for bit; elsewhere rounding grows, and they are as good."""
  command = [sys.executable, "-m", "jaxbench", "--config=configs/train_digits.py"]
  environment = {k: v for k, v in os.environ.items() if not k.startswith(("XLA_", "JAX_"))}
  root = pathlib.Path(__file__).parents[1]
  subprocess.run(
    [*command, f"--workdir={tmp_path / 'models'}"], check=True, cwd=root, env=environment
  )
  for name in EMBEDDED:
    shipped, trained = (
      _accuracies(models.load(each), *scans) for each in (name, str(tmp_path / "models" / name))
    )
    np.testing.assert_allclose(trained, shipped, atol=0.05)
    assert abs(trained - shipped)[0] <= 0.01
