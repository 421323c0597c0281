"""Programs that stand in for gcloud, srun and others: they note their arguments and do little."""

import os
import pathlib
import shutil
import stat
import subprocess

from references.command import ROOT


class Stubs:
  """A folder of programs at the front of PATH."""

  def __init__(self, folder: pathlib.Path):
    self.bin, self._calls = folder / "stubs", folder / "calls"
    self.bin.mkdir()
    self._calls.touch()

  def add(self, name, script=""):
    """A program that notes how it is called, then does what the bash `script` says."""
    file = self.bin / name
    file.write_text(f'#!/bin/bash\necho "{name} $*" >> "{self._calls}"\n{script}\n')
    file.chmod(file.stat().st_mode | stat.S_IXUSR)

  def run(self, *command, **environment):
    """A command that finds these programs first."""
    path = f"{self.bin}:{os.environ['PATH']}"
    return subprocess.run(
      list(map(str, command)),
      env={**os.environ, "PATH": path, **environment},
      capture_output=True,
      text=True,
      timeout=60,
    )

  def calls(self, start=""):
    """What was called, in order."""
    return [line for line in self._calls.read_text().splitlines() if line.startswith(start)]


def checkout(folder: pathlib.Path, python: pathlib.Path) -> pathlib.Path:
  """The scripts of this one in a folder of their own, with an environment of that Python."""
  shutil.copytree(ROOT / "launch", folder / "launch")
  (folder / ".venv/bin").mkdir(parents=True)
  (folder / ".venv/bin/python").symlink_to(python)
  return folder
