"""Signals in processes of their own, busy in Python or deep in a computation."""

import signal
import subprocess
import sys
import time

import pytest

CHILD = """
import hashlib, sys, time
from jaxbench import interrupt
interrupt._GRACE, interrupt._LAST_WORDS = float(sys.argv[2]), 0.5
save = {"saves": lambda: print("saved", flush=True), "hangs": lambda: time.sleep(100)}[sys.argv[3]]
try:
  with interrupt.listen(save) as request:
    print("ready", flush=True)
    if sys.argv[1] == "deep":
      hashlib.pbkdf2_hmac("sha256", b"", b"", 10**9)  # Many minutes without a look at signals.
    while True:
      time.sleep(0.01)
      request.obey()
except interrupt.Interrupted as interrupted:
  print("obeyed")
  sys.exit(interrupted.exit_status)
"""


def _stopped(number, where, grace, save, again=False):
  command = [sys.executable, "-c", CHILD, where, str(grace), save]
  process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
  process.stdout.readline()
  started = time.monotonic()
  process.send_signal(number)
  if again:
    time.sleep(0.3)
    process.send_signal(number)
  out, err = process.communicate(timeout=60)
  return process.returncode, out, err, time.monotonic() - started


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_block_that_looks_at_the_request_ends_by_itself(number):
  status, out, err, _ = _stopped(number, "shallow", 30, "saves")
  assert (status, out, err) == (128 + number, "obeyed\n", "")


@pytest.mark.parametrize(("save", "expected"), [("saves", "saved\n"), ("hangs", "")])
def test_work_that_does_not_end_in_time_is_abandoned(save, expected):
  status, out, err, seconds = _stopped(signal.SIGTERM, "deep", 0.5, save)
  assert (status, out) == (128 + signal.SIGTERM, expected)
  assert err == "jaxbench: stopped by SIGTERM; the same command continues the run\n"
  assert seconds < 10


def test_a_second_signal_ends_the_grace():
  status, *_, seconds = _stopped(signal.SIGINT, "deep", 50, "saves", again=True)
  assert status == 128 + signal.SIGINT
  assert seconds < 20
