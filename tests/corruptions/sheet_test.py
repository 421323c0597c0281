"""The command that draws the sheet of all corruptions."""

import subprocess
import sys

import pytest
from PIL import Image
from references.photographs import photographs


def _run(*arguments):
  command = [sys.executable, "-m", "jaxbench.corruptions", *map(str, arguments)]
  return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
  ("image", "out", "message"),
  [
    ("absent.png", "sheet.png", "absent.png"),
    ("image.png", "sheet.xyz", "unknown format of --out="),
    ("image.png", "none/sheet.png", "there is no folder"),
  ],
)
def test_bad_input_is_one_line(image, out, message, tmp_path):
  Image.new("RGB", (4, 4)).save(tmp_path / "image.png")
  found = _run(tmp_path / image, f"--out={tmp_path / out}")
  assert found.returncode == 2
  (line,) = found.stderr.splitlines()
  assert line.startswith("jaxbench.corruptions: ")
  assert message in line


@pytest.mark.slow
def test_the_sheet_is_drawn(tmp_path):
  Image.fromarray(photographs(64)[0]).save(tmp_path / "image.png")
  out = tmp_path / "sheet.png"
  found = _run(tmp_path / "image.png", f"--out={out}", "--size=32", "--variant=cifar")
  assert found.returncode == 0, found.stderr
  width, height = Image.open(out).size
  assert height > 3 * width
