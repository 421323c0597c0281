"""The command that draws the sheet of all corruptions."""

import pytest
from PIL import Image
from references.command import call
from references.photographs import photographs


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
  _, err = call("jaxbench.corruptions", tmp_path / image, f"--out={tmp_path / out}", status=2)
  (line,) = err.splitlines()
  assert line.startswith("jaxbench.corruptions: ")
  assert message in line


@pytest.mark.slow
def test_the_sheet_is_drawn(tmp_path):
  Image.fromarray(photographs(64)[0]).save(tmp_path / "image.png")
  out = tmp_path / "sheet.png"
  small = ("--size=32", "--variant=cifar")
  call("jaxbench.corruptions", tmp_path / "image.png", f"--out={out}", *small)
  width, height = Image.open(out).size
  assert height > 3 * width
