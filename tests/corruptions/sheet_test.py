"""The command that draws the sheet of all corruptions."""

import subprocess
import sys

import pytest
from PIL import Image
from references.photographs import photographs


def _run(*arguments):
  command = [sys.executable, "-m", "jaxbench.corruptions", *map(str, arguments)]
  return subprocess.run(command, capture_output=True, text=True, check=False)


def test_bad_input_is_one_line(tmp_path):
  found = _run(tmp_path / "absent.png", f"--out={tmp_path / 'sheet.png'}")
  assert found.returncode == 2
  assert found.stderr.splitlines()[-1].startswith("jaxbench.corruptions: ")
  assert "absent.png" in found.stderr
  assert "Traceback" not in found.stderr


@pytest.mark.slow
def test_the_sheet_is_drawn(tmp_path):
  Image.fromarray(photographs(64)[0]).save(tmp_path / "image.png")
  out = tmp_path / "sheet.png"
  found = _run(tmp_path / "image.png", f"--out={out}", "--size=32", "--variant=cifar")
  assert found.returncode == 0, found.stderr
  width, height = Image.open(out).size
  assert height > 3 * width
