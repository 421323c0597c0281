"""What a person sees of a long run."""

import time

from jaxbench.telemetry import clock, progress
from jaxbench.telemetry.progress import Progress
from jaxbench.telemetry.time_left import TimeLeft


def test_where_there_is_no_terminal_lines_come_whatever_the_main_thread_does(monkeypatch, capsys):
  monkeypatch.setattr(progress, "_LINE_SECONDS", 0.02)
  told = Progress(1000, 200, "pass")
  told.update(300)
  told.show("imagenet: pgd(steps=10) 4/255")
  deadline, err = time.monotonic() + 10, ""
  while err.count("\n") < 3:  # Nothing calls it meanwhile.
    assert time.monotonic() < deadline
    time.sleep(0.01)
    err += capsys.readouterr().err
  told.close()
  line = err.splitlines()[-1]
  assert line.startswith("jaxbench: 50%, 500/1,000 passes")
  assert line.endswith(" left, imagenet: pgd(steps=10) 4/255")


def test_compiling_is_not_taken_for_the_pace_of_what_is_left(monkeypatch, capsys):
  """A minute to load and to compile, then cells of a second."""
  now = prepared = 0.0
  monkeypatch.setattr(time, "monotonic", lambda: now)
  monkeypatch.setattr(clock, "prepared", lambda: prepared)
  monkeypatch.setattr(progress, "_LINE_SECONDS", 3600.0)
  cells = [("corruption", "fog", "clip", str(severity)) for severity in range(20)]
  attack = ("attack", "pgd", "clip", "4/255")
  told = Progress(2120, 0, "pass", TimeLeft(dict.fromkeys(cells, 100) | {attack: 120}))
  now, prepared = 60.0, 59.0
  told.update(100, cells[0])
  now = 61.0
  told.update(100, cells[1])
  told.show("fog")
  assert told._remaining() == "perhaps 0:01:19 left"  # A minute to prepare the attack.
  told.close()


def test_nearly_all_of_an_attack_that_nobody_has_seen_yet_is_a_guess(monkeypatch, capsys):
  clean, attack = ("clean", "clean"), ("attack", "pgd")
  told = Progress(1010, 0, "pass", TimeLeft({clean: 10, attack: 1000}))
  told.update(10, clean)
  assert told._remaining().startswith("perhaps ")
  told.update(250, attack)
  told.update(250, attack)
  assert told._remaining().startswith("0:00:0")
  told.close()
