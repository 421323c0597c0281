"""Attacks and corruptions of people's own, in files that a config names."""

import jax
import numpy as np
import pytest

from jaxbench import config, devices, errors, plan, records
from jaxbench.evaluate import runner
from jaxbench.plan.perturbations import own

FILE = """
import jax.numpy as jnp
from jaxbench import attacks

def one_step(*, factor=1.0):
  return attacks.fgsm()

def darker(key, image, severity, *, by=0.1):
  return image - by * severity.astype(jnp.float32)  # JAX is strict in tests.

def narrow(key, image, severity):
  return image[:, 1:]

def number():
  return 3
"""


@pytest.fixture
def mine(tmp_path):
  file = tmp_path / "mine.py"
  file.write_text(FILE)
  return file


def _settings(**changes):
  base = {"models": ("digits-resnet",), "data": ("digits",), "limit": 24, "slots": 8}
  return config.checked(config.Config(**base | changes))


@pytest.mark.slow
def test_an_attack_of_ones_own_has_the_rows_that_it_would_have_here(mine, tmp_path):
  names = f"fgsm,{mine}:one_step(factor=2.0)"
  settings = _settings(attacks=config.Attacks(names=(names,), epsilons=(4 / 255,)))
  runner.run(settings, plan.make(settings), tmp_path / "run")
  rows = records.by_cell(records.read(tmp_path / "run"))
  told = {table["perturbation"][0].as_py(): table for table in rows.values()}
  assert set(told) == {"clean", "fgsm", "mine.py:one_step(factor=2.0)"}
  ours, theirs = (told[name] for name in ("mine.py:one_step(factor=2.0)", "fgsm"))
  for name in ("prediction", "success", "distance", "forwards", "backwards"):
    assert ours[name].to_pylist() == theirs[name].to_pylist()


def test_a_corruption_of_ones_own_is_done_to_every_image_and_cut(mine):
  options = config.Corruptions(names=(f"{mine}:darker(by=0.2)",), severities=(1, 4))
  cells = plan.make(_settings(corruptions=options)).cells
  made = {cell.perturbation.severity: cell.perturbation for cell in cells[1:]}
  assert {one.text for one in made.values()} == {"mine.py:darker(by=0.2)"}
  images = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3)).astype(np.uint8)
  hashes = np.zeros((8, 2), np.uint32)
  for severity, one in made.items():
    inputs = devices.replicate(one.inputs((32, 32)))
    (shown,) = devices.dispatch(one.program(0), inputs, (hashes, images), 1)
    expected = np.clip(images / np.float32(255) - np.float32(0.2) * severity, 0, 1)
    np.testing.assert_allclose(jax.device_get(shown.result), expected, atol=1e-6)


def test_another_file_is_another_row(mine):
  text = f"{mine}:one_step(factor=2.0)"
  first = own.find(text, "attack")
  assert own.find(text, "attack").full == first.full
  mine.write_text(FILE + "\n# Changed.\n")
  second = own.find(text, "attack")
  assert (second.text, second.text) == (first.text, "mine.py:one_step(factor=2.0)")
  assert second.full != first.full


@pytest.mark.parametrize(
  ("kind", "name", "message"),
  [
    ("attacks", "weak", "mine.py has no function weak()"),
    ("attacks", "number", "mine.py:number is int, and no attacks.Attack"),
    ("attacks", "one_step(steps=3)", "unknown argument of attack one_step 'steps'"),
    ("corruptions", "number", "number() raised TypeError"),
    ("corruptions", "narrow", "and no image [H, W, 3]"),
  ],
)
def test_what_cannot_be_used_is_one_line(kind, name, message, mine):
  asked = {"attacks": config.Attacks, "corruptions": config.Corruptions}[kind]
  epsilons = {"epsilons": (4 / 255,)} if kind == "attacks" else {}
  settings = _settings(**{kind: asked(names=(f"{mine}:{name}",), **epsilons)})
  with pytest.raises(errors.InputError) as error:
    plan.make(settings)
  assert message in str(error.value)


def test_a_module_serves_too_and_one_that_is_not_there_is_told(monkeypatch, mine):
  monkeypatch.syspath_prepend(str(mine.parent))
  assert own.find("mine:one_step", "attack").text == "mine.py:one_step"
  with pytest.raises(errors.InputError, match=r"nowhere: ModuleNotFoundError.*or name a file"):
    own.find("nowhere:one_step", "attack")


@pytest.mark.parametrize("text", ["pgd(steps=3)", "fog", "pgd(norm='l2')"])
def test_names_stay_names(text):
  assert own.find(text, "attack") is None
