import time

import jax
import pytest
from etils import epath

from jaxbench.records import logs
from jaxbench.telemetry import clock, journal


def test_time_is_split_and_nothing_is_left_over(tmp_path, monkeypatch):
  now = 0.0
  monkeypatch.setattr(time, "monotonic", lambda: now)
  log = journal.Journal(epath.Path(tmp_path), "me")
  for part in ("decoding", "writing", "decoding"):
    now += 2
    with log.spend(part):
      now += 2
  with clock.waiting():
    now += 3
  jax.monitoring.record_event_duration_secs("/jax/core/compile/backend_compile_duration", 1.5)
  now += 2
  log.add("d", 3, 100, 8, 0.5)
  now += 2
  log.add("d", 4, 100, 8, 0.75)
  assert len(logs.read(tmp_path)) == 1  # Written 2 s ago.
  log.save()
  first, second = logs.read(tmp_path)
  spent = {"seconds": 17, "waiting": 0, "decoding": 4, "writing": 2}
  spent |= {"compiling": 1.5, "device": 3, "host": 6.5}
  assert {name: first[name] for name in spent} == spent
  assert set(logs.PARTS) <= spent.keys()
  assert (first["session"], first["data"], first["block"]) == ("me", "d", 3)
  assert second["seconds"] == second["host"] == 2
  assert second["occupancy"] == pytest.approx(0.75)
