"""Which cases of a test the usual run has."""

import subprocess
import sys

import pytest
from references.command import ROOT

CASES = """
import pytest

@pytest.mark.usual({usual})
@pytest.mark.parametrize("name", ["pgd", "fab, l1", "fab, l2"])
def test_it(name):
  pass
"""


@pytest.mark.slow
@pytest.mark.parametrize(
  ("usual", "wanted", "said"),
  [
    ('"pgd"', "not slow", "1 passed, 2 deselected"),
    ('"fab, *"', "not slow", "2 passed, 1 deselected"),
    ('"fab, *"', "slow", "1 passed, 2 deselected"),
    ('"pgd", "bim", "fab*"', "not slow", "test_it has no case bim"),
  ],
)
def test_the_other_cases_are_slow(usual, wanted, said, tmp_path):
  (tmp_path / "some_test.py").write_text(CASES.format(usual=usual))
  command = ["-q", "-p", "no:cacheprovider", "-p", "references.usual", "-m", wanted, str(tmp_path)]
  process = subprocess.run(
    [sys.executable, "-m", "pytest", *command],
    capture_output=True,
    text=True,
    env={"PYTHONPATH": str(ROOT / "tests")},
    cwd=tmp_path,
    check=False,
  )
  assert said in process.stdout + process.stderr
