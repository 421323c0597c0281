"""The time left, of runs whose parts are nothing like one another."""

import json
import pathlib
import random

import pytest

from jaxbench.telemetry.time_left import TimeLeft

FAST, SLOW, OTHER = ("clean", "a"), ("attack", "pgd", "a"), ("attack", "pgd", "b")

RECORDED = json.loads((pathlib.Path(__file__).parent / "recorded.json").read_text())


def test_nothing_is_told_before_anything_is_known():
  left = TimeLeft({FAST: 100})
  assert left.seconds() is None
  left.skip(FAST, 50)  # Another host's.
  assert left.seconds() is None
  left.took(FAST, 10, 5.0)
  assert left.seconds() == pytest.approx(20.0)


def test_each_part_goes_on_at_its_own_pace():
  left = TimeLeft({FAST: 100, SLOW: 1000})
  left.took(FAST, 50, 1.0)
  left.took(SLOW, 100, 10.0)
  assert left.seconds() == pytest.approx(1.0 + 90.0)


def test_the_first_piece_compiles_and_counts_until_there_is_another():
  left = TimeLeft({SLOW: 100})
  left.took(SLOW, 10, 60.0)
  assert left.seconds() == pytest.approx(540.0)
  left.took(SLOW, 10, 1.0)
  assert left.seconds() == pytest.approx(8.0)


def test_what_is_prepared_once_serves_all_that_differ_in_their_last_name():
  cells = {("attack", "pgd", model, epsilon): 100 for model in "ab" for epsilon in "123"}
  left = TimeLeft(cells)
  left.took(("attack", "pgd", "a", "1"), 10, 60.0, prepared=58.0)
  assert left.seconds() is None  # What of the other two seconds was work?
  left.took(("attack", "pgd", "a", "1"), 90, 0.9)
  assert left.seconds() == pytest.approx(5 * 1.0 + 60.0)
  left.took(("attack", "pgd", "b", "1"), 100, 31.0, prepared=30.0)
  assert left.seconds() == pytest.approx(4 * 1.0)


def test_it_is_a_guess_while_most_of_it_is_of_parts_like_none_that_is_known():
  left = TimeLeft({FAST: 100, SLOW: 1000, OTHER: 10})
  left.took(FAST, 50, 1.0)
  assert left.is_guess()
  left.took(OTHER, 10, 1.0)  # The same attack, on another model.
  assert not left.is_guess()


def test_a_part_that_was_not_seen_yet_is_like_those_that_share_most_of_its_name():
  left = TimeLeft({FAST: 10, SLOW: 10, OTHER: 10})
  left.took(FAST, 10, 1.0)
  left.took(SLOW, 10, 50.0)
  assert left.seconds() == pytest.approx(50.0)


def test_images_that_several_models_are_shown_are_made_once_for_the_first():
  """Of the next surrogate too, whose images nobody has made yet."""
  made = {("transfer", surrogate, model): 100 for surrogate in "ab" for model in "xyz"}
  left = TimeLeft(made)
  left.took(("transfer", "a", "x"), 50, 30.0)
  left.took(("transfer", "a", "y"), 50, 0.1)
  left.took(("transfer", "a", "y"), 50, 0.1)
  assert 60 < left.seconds() < 120


def test_within_a_factor_of_two_after_the_first_block_where_attacks_end_early():
  """Ten blocks; an attack uses a fiftieth of the passes that were planned, the corruptions all."""
  cells = {("corruption", name): (100, 0.001) for name in ("fog", "snow")}
  cells[("attack", "pgd")] = (40_000, 0.00002)
  left = TimeLeft({part: 10 * planned for part, (planned, _) in cells.items()})
  draw, blocks = random.Random(0), []
  for block in range(10):
    spent = 0.0
    for part, (planned, pace) in cells.items():
      seconds = planned * pace * draw.uniform(0.8, 1.2) + 3.0 * (block == 0)
      left.took(part, planned, seconds)
      spent += seconds
    blocks.append((spent, left.seconds()))
  for number in range(1, 9):
    truth = sum(spent for spent, _ in blocks[number + 1 :])
    assert 0.5 < blocks[number][1] / truth < 2.0


def test_what_took_no_time_tells_nothing_of_what_comes_after_it():
  """Examples that are wrong already need no attack, and their rows come before it is compiled."""
  left = TimeLeft({FAST: 100, SLOW: 1000})
  left.took(FAST, 50, 5.0)
  left.took(SLOW, 100, 0.001)
  assert left.seconds() == pytest.approx(50 * 0.1 + 900 * 0.1)
  left.took(SLOW, 400, 50.0)
  assert left.seconds() == pytest.approx(50 * 0.1 + 500 * 0.1)


def test_attacks_that_nobody_has_seen_are_taken_to_end_early():
  left = TimeLeft({FAST: 100, SLOW: 1000}, early=("attack",))
  left.took(FAST, 50, 5.0)
  assert left.seconds() == pytest.approx(50 * 0.1 + 1000 * 0.1 / 2)
  left.took(SLOW, 500, 50.0)
  assert left.seconds() == pytest.approx(50 * 0.1 + 500 * 0.1)


@pytest.mark.parametrize("name", RECORDED)
def test_within_a_factor_of_two_after_a_minute_of_recorded_runs(name):
  """Configs of the embedded models, by what each piece took; later ones of a part together.

  In seconds of the processor, so that what else it was busy with is not in them.
  """
  planned, took = RECORDED[name]["planned"], RECORDED[name]["took"]
  parts = [tuple(part) for *part, _ in planned]
  early = ("attack", "smallest", "smallest_transfer")
  left = TimeLeft({part: row[-1] for part, row in zip(parts, planned, strict=True)}, early)
  told, passed = [], 0.0
  for part, amount, seconds, prepared in took:
    left.took(parts[part], amount, seconds, prepared)
    passed += seconds
    told.append((passed, left.seconds()))
  for moment in (60, 120, 300):
    before = [each for each in told if each[0] <= moment]
    if moment < passed - 30:
      assert 0.5 < before[-1][1] / (passed - moment) < 2.0, (name, moment)
