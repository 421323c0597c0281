"""Signals in processes of their own, busy in Python or deep in a computation."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
from references import command

from jaxbench.distributed import interrupt

CHILD = """
import hashlib, os, signal, sys, threading, time
from jaxbench.distributed import interrupt
signal.signal(signal.SIGINT, signal.default_int_handler)  # A job in the background has none.
say = lambda text: os.write(1, f"{text}\\n".encode())  # Whole lines, whichever thread says them.
interrupt._GRACE, interrupt._LAST_WORDS = float(sys.argv[2]), 0.5
save = {"saves": lambda: say("saved"), "hangs": lambda: time.sleep(100)}[sys.argv[3]]
def acknowledge():
  while request.number is None:
    time.sleep(0.01)
  say("heard")
try:
  with interrupt.listen(save) as request:
    threading.Thread(target=acknowledge, daemon=True).start()
    if sys.argv[1] != "waiting":
      say("ready")
    if sys.argv[1] == "deep":
      hashlib.pbkdf2_hmac("sha256", b"", b"", 10**9)  # Many minutes without a look at signals.
    if sys.argv[1] == "waiting":
      with request.waiting():
        say("ready")
        time.sleep(100)
    while True:
      time.sleep(0.01)
      request.obey()
except interrupt.Interrupted as interrupted:
  say("obeyed")
  sys.exit(interrupted.exit_status)
except KeyboardInterrupt:  # The second came before the main thread was deep.
  sys.exit(128 + signal.SIGINT)
"""


def _start(code, *arguments):
  started = [sys.executable, "-c", code, *map(str, arguments)]
  process = subprocess.Popen(started, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
  assert process.stdout.readline() == "ready\n"
  return process


def _stopped(number, where, grace, save, again=False):
  process = _start(CHILD, where, grace, save)
  process.send_signal(number)
  if again:
    assert process.stdout.readline() == "heard\n"
    process.send_signal(number)
  try:
    out, err = process.communicate(timeout=60)
  finally:
    process.kill()
  return process.returncode, out.replace("heard\n", ""), err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_block_that_looks_at_the_request_ends_by_itself(number):
  assert _stopped(number, "shallow", 30, "saves") == (128 + number, "obeyed\n", "")


@pytest.mark.parametrize(("save", "expected"), [("saves", "saved\n"), ("hangs", "")])
def test_work_that_does_not_end_in_time_is_abandoned(save, expected):
  status, out, err = _stopped(signal.SIGTERM, "deep", 0.5, save)
  assert (status, out) == (128 + signal.SIGTERM, expected)
  assert err == "jaxbench: stopped by SIGTERM; the same command continues the run\n"


def test_a_second_signal_ends_the_grace():
  status, *_ = _stopped(signal.SIGINT, "deep", 1000, "saves", again=True)
  assert status == 128 + signal.SIGINT


def test_a_block_that_waits_is_not_waited_for():
  assert _stopped(signal.SIGINT, "waiting", 1000, "saves") == (
    128 + signal.SIGINT,
    "saved\n",
    "jaxbench: stopped by SIGINT; the same command continues the run\n",
  )


@pytest.mark.skipif(not pathlib.Path("/proc").exists(), reason="children are looked up in /proc")
def test_ctrl_c_while_workers_start_is_one_line(tmp_path):
  arguments = ["--config=configs/quickstart.py", f"--workdir={tmp_path}", "--workers=2"]
  process = command.start(*arguments, start_new_session=True)
  tasks, started = pathlib.Path(f"/proc/{process.pid}/task"), 0
  while started < 3:  # Two, and what counts their semaphores.
    started = sum(len(task.read_text().split()) for task in tasks.glob("*/children"))
    time.sleep(0.01)
  os.killpg(process.pid, signal.SIGINT)  # As a terminal does.
  _, err = process.communicate(timeout=60)
  assert process.returncode == 128 + signal.SIGINT
  assert err.splitlines()[-1] == "jaxbench: stopped by SIGINT; the same command continues the run"
  assert not any(word in err for word in ("Traceback", "KeyboardInterrupt", "resource_tracker"))


UNHEARD = """
import os, signal
from jaxbench.distributed import interrupt
try:
  with interrupt.listen():
    os.kill(os.getpid(), signal.SIGTERM)
except interrupt.Interrupted as interrupted:
  print("ready", flush=True)
"""


def test_a_signal_that_a_block_has_not_looked_at_is_told_at_its_end():
  assert _start(UNHEARD).wait(60) == 0


PROGRAM = """
import hashlib, jax, sys, time
from jaxbench.distributed import interrupt
interrupt.stop_at_once("prog", "again")
def told():
  print("ready", flush=True)
  time.sleep(100)
class Callback:
  def __del__(self):
    told()
if sys.argv[1] == "deep":
  print("ready", flush=True)
  hashlib.pbkdf2_hmac("sha256", b"", b"", 10**9)
elif sys.argv[1] == "callback":  # What is raised here is printed and forgotten.
  Callback()
elif sys.argv[1] == "compiling":
  jax.monitoring.register_event_duration_secs_listener(lambda *_, **__: told())
  jax.jit(lambda x: x + 1)(1)
else:
  with interrupt.listen():
    pass
  told()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("where", ["deep", "callback", "compiling", "after listening"])
def test_a_program_ends_at_once_wherever_it_is(where, number):
  process = _start(PROGRAM, where)
  process.send_signal(number)
  out, err = process.communicate(timeout=60)
  assert (process.returncode, out) == (128 + number, "")
  assert err == f"prog: stopped by {signal.Signals(number).name}; again\n"


@pytest.mark.parametrize(
  ("command", "arguments", "program"),
  [
    ("-m jaxbench.report a b", "a b", "jaxbench.report"),
    ("-u -Bm jaxbench.data", "", "jaxbench.data"),
    ("-mjaxbench.data check", "check", "jaxbench.data"),
    ("-m jaxbench --help", "--help", ""),  # Which does so by itself, with better advice.
    ("-m theirs.evaluate jaxbench.report", "jaxbench.report", ""),
    ("-m pytest -m slow", "-m slow", ""),
  ],
)
def test_only_programs_of_the_package_are_stopped(monkeypatch, command, arguments, program):
  """Somebody's own program that imports jaxbench keeps its handlers."""
  monkeypatch.setattr(sys, "orig_argv", ["python", *command.split()])
  monkeypatch.setattr(sys, "argv", ["-m", *arguments.split()])
  assert interrupt.starting_program("jaxbench") == program
