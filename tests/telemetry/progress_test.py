"""What a person sees of a long run."""

import time

from jaxbench.telemetry import progress
from jaxbench.telemetry.progress import Progress


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
