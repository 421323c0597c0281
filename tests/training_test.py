import json
import time

import jax
import pytest
from etils import epath

from jaxbench import config, errors, models, training


def _digests(folder):
  names = models.list_models()
  return {n: json.loads((folder / n / "model.json").read_text())["sha256"] for n in names}


@pytest.fixture(autouse=True)
def _as_users_run_it():
  """Optax itself promotes."""
  with jax.numpy_dtype_promotion("standard"):
    yield


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
  """Bit for bit on the machine they come from; elsewhere this measures the difference."""
  started = time.monotonic()
  training.run(config.Training(), epath.Path(tmp_path))
  assert time.monotonic() - started < 600
  assert _digests(tmp_path) == {n: d.sha256 for n, d in models.list_models().items()}
