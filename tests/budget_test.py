"""A test file that takes more CPU than it may is named, and fails the run."""

import collections
import subprocess
import sys

from references import budget
from references.command import ROOT


def test_three_times_the_budget_is_too_much(monkeypatch):
  spent = collections.Counter({"a_test.py": 91.0, "b_test.py": 89.0, "c_test.py": 100.0})
  monkeypatch.setattr(budget, "_spent", spent)
  monkeypatch.setattr(budget, "USUAL", 30)
  monkeypatch.setattr(budget, "BUDGETS", {"c_test.py": 40})
  assert budget._over() == ["a_test.py"]


BUSY = "def test_it():\n  sum(range(10**6))\n"


def _run(tmp_path, text):
  (tmp_path / "busy_test.py").write_text(text)
  (tmp_path / "conftest.py").write_text(
    "from references import budget\nbudget.USUAL = -1\npytest_plugins = ('references.budget',)\n"
  )
  return subprocess.run(
    [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
    capture_output=True,
    text=True,
    env={"PYTHONPATH": str(ROOT / "tests")},
    cwd=tmp_path,
    check=False,
  )


def test_a_run_over_budget_fails_and_says_which_file(tmp_path):
  process = _run(tmp_path, BUSY)
  assert process.returncode == 1, process.stdout + process.stderr
  assert "over budget: " in process.stdout
  assert "busy_test.py took" in process.stdout


def test_slow_tests_have_no_budget(tmp_path):
  process = _run(tmp_path, f"import pytest\n@pytest.mark.slow\n{BUSY}")
  assert "1 passed" in process.stdout
  assert "over budget" not in process.stdout
