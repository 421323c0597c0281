"""`python -m jaxbench.typography` through the command line."""

import pathlib
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from jaxbench import typography

ROOT = pathlib.Path(__file__).parents[2]


def _run(*arguments):
  command = [sys.executable, "-m", "jaxbench.typography", *map(str, arguments)]
  return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)


def test_it_writes_the_picture_that_the_library_draws(tmp_path):
  grey = np.full((120, 160), 90, np.uint8)
  Image.fromarray(grey).save(tmp_path / "in.png")
  out = tmp_path / "out.png"
  overlay = "--overlay=text(copies=2, size=0.2)"
  result = _run(tmp_path / "in.png", "--word=dog", f"--out={out}", overlay, "--seed=4")
  assert result.returncode == 0, result.stderr
  image = np.repeat(grey[..., None], 3, axis=-1)
  expected = typography.text(copies=2, size=0.2).write(image, "dog", "in", 4)
  np.testing.assert_array_equal(np.asarray(Image.open(out)), expected)


@pytest.mark.parametrize(
  ("arguments", "message"),
  [
    ([], "usage: python -m jaxbench.typography IMAGE --word=dog"),
    (["nowhere.png", "--word=dog"], "No such file"),
    (["README.md", "--word=dog"], "cannot identify image file"),
    (["nowhere.png", "--word=dog", "--overlay=txt"], "Did you mean 'text'"),
  ],
)
def test_wrong_input_is_one_line(arguments, message):
  result = _run(*arguments)
  assert result.returncode == 2
  assert message in result.stderr
  assert result.stderr.count("\n") == 1
