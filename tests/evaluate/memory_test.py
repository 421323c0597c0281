"""How many slots a run takes by itself: the fastest that fit, and the same ever after."""

import json
import math

import jax
import numpy as np
import pytest

from jaxbench import attacks, config, devices, errors, plan, records, report, seats
from jaxbench.attacks.engine import batching
from jaxbench.evaluate import memory, runner


def _counting(needed):
  asked = []

  def count(slots):
    asked.append(slots)
    return needed(slots)

  return count, asked


def test_what_fits_at_the_limit_is_compiled_once():
  needed, asked = _counting(lambda slots: 100 + 10 * slots)
  assert memory.fitting(needed, 740, 64) == 64
  assert asked == [64]


@pytest.mark.parametrize(("available", "slots"), [(739, 63), (200, 10), (110, 1), (5, 1)])
def test_on_a_straight_line_the_most_that_fits_takes_three_programs(available, slots):
  needed, asked = _counting(lambda slots: 100 + 10 * slots)
  assert memory.fitting(needed, available, 64) == slots
  assert len(asked) <= 3


def test_on_a_curve_what_is_found_fits_all_the_same():
  needed, asked = _counting(lambda slots: 10 * slots**1.05)
  found = memory.fitting(needed, 10 * 100**1.05, 256)
  assert 90 <= found <= 100
  assert len(asked) <= 4


def test_sizes_that_a_compiler_refuses_are_halved():
  needed, asked = _counting(lambda slots: 10 * slots if slots <= 40 else math.inf)
  assert memory.fitting(needed, 250, 256) == 25
  assert asked == [256, 1, 128, 64, 32, 25]


@pytest.mark.slow
def test_a_program_needs_what_its_slots_do_and_no_weights(tiny):
  """Weights are on the device already, and nearly all of the rest is the slots'."""
  replicated = devices.replicate(tiny)

  def trace(slots):
    return batching.trace(attacks.pgd(steps=2), replicated, batching.Settings(slots), 8)

  program = memory.Program(replicated, trace)
  two, four, eight = (memory.needed(program, slots) for slots in (2, 4, 8))
  image = 8 * 8 * 3 * 4
  assert two > 2 * 3 * image  # The clean image, the one in progress, and one that leaves.
  assert (eight - four) / (four - two) == pytest.approx(2, rel=0.1)
  assert two - (four - two) < tiny.args[0][0].nbytes / 2


def test_the_host_shares_its_memory_among_the_devices():
  assert 0 < memory.free() * devices.mesh().size < 2**50


def _run(workdir, **changes):
  asked = config.Attacks(names=("square(queries=2)",), epsilons=(8 / 255,))
  settings = {"models": ("digits-resnet",), "data": ("digits",), "limit": 24, "attacks": asked}
  checked = config.checked(config.Config(**(settings | changes)))
  runner.run(checked, plan.make(checked), workdir)
  return records.read(workdir)


def test_a_run_settles_on_what_fits_and_goes_on_with_it(tmp_path, monkeypatch, capsys):
  asked = []
  monkeypatch.setattr(seats, "is_small", lambda leaves: False)  # Whose memory is looked at.
  monkeypatch.setattr(memory, "needed", lambda program, slots: asked.append(slots) or 100 * slots)
  monkeypatch.setattr(memory, "free", lambda: 250)
  monkeypatch.setattr(memory, "_traffic", lambda jaxpr: 0)
  folder = tmp_path / "run"
  rows = _run(folder, slots=config.AUTO)
  assert asked == [3, 1, 2]  # 24 examples fill 3 slots on each of 8 devices.
  assert "2 slots on each device" in capsys.readouterr().err
  assert json.loads((folder / "slots.json").read_text()) == 2
  assert rows.equals(_run(tmp_path / "two", slots=2))

  report.write([folder], tmp_path / "report.html")
  assert "2 slots each" in (tmp_path / "report.html").read_text()

  for part in (folder / "records").iterdir():
    part.unlink()
  monkeypatch.setattr(memory, "free", None)  # What has been settled on is not asked again.
  assert _run(folder, slots=config.AUTO).equals(rows)
  assert [one["slots"] for one in records.load_run(folder)["sessions"]] == [2, 2]


@pytest.mark.slow
def test_by_default_a_run_goes_on_with_the_slots_that_it_was_begun_with(tmp_path):
  """As one of a version whose default was a number."""
  folder = tmp_path / "run"
  rows = _run(folder, slots=4)
  for part in (folder / "records").iterdir():
    part.unlink()
  assert _run(folder).equals(rows)
  described = records.load_run(folder)
  assert described["identity"]["config"]["slots"] == 4
  assert [one["slots"] for one in described["sessions"]] == [4, 4]
  assert not (folder / "slots.json").exists()
  with pytest.raises(errors.InputError, match=r"config\.slots is 4 there and 2 here"):
    _run(folder, slots=2)


def test_by_default_a_small_model_has_as_many_slots_as_a_block_fills(tmp_path, monkeypatch):
  monkeypatch.setattr(memory, "needed", None)  # It fits anywhere.
  _run(tmp_path / "run", block=16)
  assert json.loads((tmp_path / "run" / "slots.json").read_text()) == 2  # On each of 8 devices.


def test_the_heaviest_of_all_programs_decides(clip, classifier):
  """An attack with gradients, not the forward pass, of the larger model."""
  small = jax.tree_util.Partial(lambda w, x: x.mean((1, 2)) @ w, np.ones((3, 10), np.float32))
  sizes = []

  def program(name, attack, chosen):
    def trace(slots):
      sizes.append((name, slots))
      return batching.trace(attack, chosen, batching.Settings(slots), 32)

    return memory.Program(chosen, trace)

  everywhere = devices.replicate(classifier), devices.replicate(small)
  memory.most_slots(
    [
      program("small", attacks.pgd(steps=2), everywhere[1]),
      program("heavy", attacks.pgd(steps=2), everywhere[0]),
      program("forward", attacks.square(queries=5), everywhere[0]),
    ],
    2,
  )
  assert sizes == [("small", 1), ("heavy", 1), ("forward", 1), ("heavy", 2)]
