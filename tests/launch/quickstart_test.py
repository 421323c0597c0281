"""quickstart.sh, driven with stand-ins for Python, pip and df."""

import os
import pathlib
import shutil
import stat
import subprocess

import pytest

ROOT = pathlib.Path(__file__).parents[2]

# A Python that notes what it is asked, makes environments by copying itself, installs nothing.
PYTHON = """#!/bin/bash
echo "$0 $*" >> "{calls}"
case "$*" in
  *version_info*) exit {too_old} ;;
  "--version") echo "Python 3.{minor}.0" ;;
  "-m venv --clear "*) mkdir -p "$4/bin"; cp "$0" "$4/bin/python" ;;
  "-m pip install"*) {pip} ;;
  "- "*) echo "state of $2" ;;
esac
"""


class Machine:
  """A checkout and a PATH of stand-ins."""

  def __init__(self, folder: pathlib.Path):
    self.root, self.bin = folder / "check out", folder / "bin"
    self.calls = folder / "calls"
    shutil.copytree(ROOT / "launch", self.root / "launch")
    self.bin.mkdir()
    self.python()
    self.space(10_000_000)

  def python(self, minor=12, pip="exit 0"):
    text = PYTHON.format(calls=self.calls, too_old=int(minor < 11), minor=minor, pip=pip)
    for name in ("python3", "python", *(f"python3.{n}" for n in range(11, 15))):
      self._program(name, text)

  def space(self, kilobytes):
    self._program("df", f"#!/bin/bash\necho head\necho disk 9 9 {kilobytes} 9% /\n")

  def _program(self, name, text):
    file = self.bin / name
    file.write_text(text)
    file.chmod(file.stat().st_mode | stat.S_IXUSR)

  def run(self, *arguments, **environment):
    clean = {k: v for k, v in os.environ.items() if k not in ("VIRTUAL_ENV", "JAXBENCH_VENV")}
    self.calls.write_text("")
    return subprocess.run(
      ["bash", self.root / "launch/quickstart.sh", *arguments],
      env={**clean, "PATH": f"{self.bin}:{os.environ['PATH']}", **environment},
      cwd="/",
      capture_output=True,
      text=True,
    )

  def called(self):
    return self.calls.read_text().splitlines()


@pytest.fixture
def machine(tmp_path):
  return Machine(tmp_path)


def test_it_makes_an_environment_installs_and_runs_with_the_arguments_passed_on(machine):
  result = machine.run("--config.limit=5")
  assert result.returncode == 0, result.stderr
  python = machine.root / ".venv/bin/python"
  assert [line for line in machine.called() if "pip install" in line] == [
    f"{python} -m pip install --quiet --editable {machine.root}"
  ]
  assert machine.called()[-1] == (
    f"{python} -m jaxbench --config=configs/quickstart.py --workdir=runs/quickstart "
    "--config.limit=5"
  )


def test_the_second_call_installs_nothing(machine):
  machine.run()
  result = machine.run()
  assert result.returncode == 0
  assert not [line for line in machine.called() if "pip install" in line or "-m venv" in line]


@pytest.mark.parametrize(
  ("variables", "expected"),
  [
    ({"JAXBENCH_VENV": "named", "VIRTUAL_ENV": "active"}, "named"),
    ({"VIRTUAL_ENV": "active"}, "active"),
  ],
)
def test_a_named_environment_wins_over_an_active_one_over_its_own(
  variables, expected, machine, tmp_path
):
  for name in variables.values():
    (tmp_path / name / "bin").mkdir(parents=True)
    shutil.copy(machine.bin / "python3", tmp_path / name / "bin/python")
  result = machine.run(**{key: str(tmp_path / name) for key, name in variables.items()})
  assert result.returncode == 0, result.stderr
  assert machine.called()[-1].startswith(str(tmp_path / expected / "bin/python"))
  assert not (machine.root / ".venv").exists()


def _fails_with(result, message):
  assert result.returncode == 1
  line = result.stderr.strip().splitlines()[-1]
  assert line.startswith("jaxbench: ")
  assert message in line


def test_a_python_that_is_too_old_is_named(machine):
  machine.python(minor=9)
  _fails_with(machine.run(), "needs Python 3.11 or newer, found Python 3.9.0")


def test_an_environment_whose_python_is_too_old_is_named(machine):
  machine.run()
  machine.python(minor=9)
  shutil.copy(machine.bin / "python3", machine.root / ".venv/bin/python")
  _fails_with(machine.run(), "has Python 3.9.0, needs 3.11 or newer")


def test_too_little_space_is_named_before_anything_is_installed(machine):
  machine.space(100 * 1024)
  _fails_with(machine.run(), "has 100 MB free, the installation needs 1500 MB")
  assert not [line for line in machine.called() if "pip install" in line]


def test_a_disk_that_fills_up_is_named(machine):
  machine.python(pip="echo 'OSError: [Errno 28] No space left on device'; exit 1")
  _fails_with(machine.run(), "the disk is full")


def test_an_installation_that_fails_is_shown_and_tried_again(machine):
  machine.python(pip="echo 'no such index'; exit 1")
  result = machine.run()
  _fails_with(result, "the installation failed")
  assert "no such index" in result.stderr
  machine.python()
  shutil.copy(machine.bin / "python3", machine.root / ".venv/bin/python")
  assert machine.run().returncode == 0


def test_a_folder_that_is_no_environment_is_left_alone(machine, tmp_path):
  (tmp_path / "thesis").mkdir()
  _fails_with(machine.run(JAXBENCH_VENV=str(tmp_path / "thesis")), "not a working virtual")
  assert not list((tmp_path / "thesis").iterdir())
