"""The command line: in processes of its own, and the smaller programs in this one."""

import contextlib
import hashlib
import importlib
import io
import os
import pathlib
import platform
import re
import subprocess
import sys
import warnings
from unittest import mock

from absl.testing import flagsaver

ROOT = pathlib.Path(__file__).parents[2]
CACHE = ROOT / ".jax_cache"  # Compiled programs, by processor.
# For what computes little: LLVM's optimisations would double the time to compile, XLA's fusion
# emitters treble it, and to split a program for several threads takes a tenth of it.
COMPILE_FAST = " ".join(
  (
    "--xla_backend_optimization_level=0",
    "--xla_cpu_use_fusion_emitters=false",
    "--xla_cpu_parallel_codegen_split_count=1",
  )
)


def processor():
  """A name for what this one can do: programs that are compiled for another may not run here."""
  told = pathlib.Path("/proc/cpuinfo")
  flags = (
    re.search(r"^(flags|Features)\b.*$", told.read_text(), re.MULTILINE) if told.exists() else None
  )
  said = flags[0] if flags else platform.processor()
  return f"{platform.machine()}-{hashlib.sha256(said.encode()).hexdigest()[:12]}"


def environment(**others):
  """That of the tests, but JAX is not strict, as it is not for users."""
  lenient = {name: value for name, value in os.environ.items() if not name.startswith("JAX_NUMPY")}
  return lenient | others


def start(*arguments, devices=1, exact=False, **options):
  """`python -m jaxbench ARGUMENTS`, with as many CPU devices, and not strict.

  Where it is exact, its rows are the same bits on any number of devices; that takes three times as
  long to compile.
  """
  flags = [f"--xla_force_host_platform_device_count={devices}"]
  return subprocess.Popen(
    [sys.executable, "-m", "jaxbench", *map(str, arguments)],
    cwd=ROOT,
    env=environment(
      # XLA has as many threads as devices, or cores if those are more; where Eigen cuts a
      # convolution, and so the last bit of a row, depends on the threads.
      NPROC="8",
      XLA_FLAGS=" ".join(flags if exact else [*flags, COMPILE_FAST]),
    ),
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
    **options,
  )


def run(*arguments, devices=1, exact=False, status=0):
  """Its output and errors, after it has ended as expected."""
  process = start(*arguments, devices=devices, exact=exact)
  out, err = process.communicate(timeout=300)
  assert process.returncode == status, err
  return out, err


def call(name, *arguments, status=0):
  """What `python -m NAME ARGUMENTS` writes to output and errors, in this process."""
  program = importlib.import_module(name)
  if hasattr(program, "__path__"):
    program = importlib.import_module(f"{name}.__main__")
  begin = main if name == "jaxbench" else program.main
  out, err = io.StringIO(), io.StringIO()
  with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
    ended = begin([str(argument) for argument in arguments])
  assert ended == status, err.getvalue()
  return out.getvalue(), err.getvalue()


def main(arguments):
  """The exit status of `jaxbench ARGUMENTS`, in this process."""
  import grain  # noqa: F401 -- It defines flags, which flagsaver would take away again.

  from jaxbench import __main__ as program
  from jaxbench import command_line, commands

  line = ["jaxbench", *arguments]
  with flagsaver.flagsaver(), warnings.catch_warnings(), mock.patch.object(sys, "argv", line):
    # ml_collections reads configs with it, and looks for --config.FIELD in sys.argv.
    warnings.filterwarnings("ignore", "the load_module", DeprecationWarning)
    try:
      commands.start(line)
      return program.main(command_line.parse(line))
    except SystemExit as error:
      return error.code


def parts(workdir):
  """How many parts of records there are."""
  folder = workdir / "records"
  return len(list(folder.glob("*.parquet"))) if folder.exists() else 0
