"""`python -m jaxbench.typography` through the command line."""

import numpy as np
import pytest
from PIL import Image
from references.command import ROOT, call

from jaxbench import typography

PROGRAM = "jaxbench.typography"


def test_it_writes_the_picture_that_the_library_draws(tmp_path):
  grey = np.full((120, 160), 90, np.uint8)
  Image.fromarray(grey).save(tmp_path / "in.png")
  out = tmp_path / "out.png"
  overlay = "--overlay=text(copies=2, size=0.2)"
  call(PROGRAM, tmp_path / "in.png", "--word=dog", f"--out={out}", overlay, "--seed=4")
  image = np.repeat(grey[..., None], 3, axis=-1)
  expected = typography.text(copies=2, size=0.2).write(image, "dog", "in", 4)
  np.testing.assert_array_equal(np.asarray(Image.open(out)), expected)


@pytest.mark.parametrize(
  ("arguments", "message"),
  [
    ([], "usage: python -m jaxbench.typography IMAGE --word=dog"),
    (["nowhere.png", "--word=dog"], "No such file"),
    ([ROOT / "README.md", "--word=dog"], "cannot identify image file"),
    (["nowhere.png", "--word=dog", "--overlay=txt"], "Did you mean 'text'"),
  ],
)
def test_wrong_input_is_one_line(arguments, message):
  _, err = call(PROGRAM, *arguments, status=2)
  assert message in err
  assert err.count("\n") == 1


def test_a_suffix_that_is_no_format_is_one_line(tmp_path):
  Image.new("RGB", (64, 64)).save(tmp_path / "in.png")
  _, err = call(PROGRAM, tmp_path / "in.png", "--word=dog", f"--out={tmp_path / 'x.qq'}", status=2)
  assert err == f"jaxbench.typography: --out={tmp_path / 'x.qq'}: unknown file extension: .qq\n"


def test_flags_are_those_of_one_call(tmp_path):
  """What one call sets is forgotten by the next, and no other program's flags are known."""
  Image.new("RGB", (64, 64)).save(tmp_path / "in.png")
  call(PROGRAM, tmp_path / "in.png", "--word=dog", f"--out={tmp_path / 'out.png'}")
  _, err = call(PROGRAM, tmp_path / "in.png", status=2)
  assert "usage:" in err
  _, err = call(PROGRAM, tmp_path / "in.png", "--wrod=dog", status=2)
  assert "Unknown command line flag 'wrod'. Did you mean: word" in err


def test_help_shows_its_flags():
  out, _ = call(PROGRAM, "--help")
  assert "python -m jaxbench.typography IMAGE --word=dog" in out
  assert "--overlay:" in out
