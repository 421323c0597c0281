import json
import os
import pathlib
import subprocess
import sys
import time

import jax
import pytest
from etils import epath

from jaxbench import config, errors, models, training
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


@pytest.mark.slow
def test_the_shipped_models_are_what_the_config_trains(tmp_path):
  """Bit for bit, on the kind of machine they come from."""
  command = [sys.executable, "-m", "jaxbench", "--config=configs/train_digits.py"]
  environment = {k: v for k, v in os.environ.items() if not k.startswith(("XLA_", "JAX_"))}
  root = pathlib.Path(__file__).parents[1]
  started = time.monotonic()
  subprocess.run(
    [*command, f"--workdir={tmp_path / 'models'}"], check=True, cwd=root, env=environment
  )
  assert time.monotonic() - started < 600
  expected = {name: models.describe(name).sha256 for name in EMBEDDED}
  assert _digests(tmp_path / "models") == expected
