"""What a report, and the command line's help, load of what takes long to load."""

import subprocess
import sys

import pytest

HEAVY = {"flax", "grain", "huggingface_hub", "jax", "optax", "orbax", "tokenizers", "torch"}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["jaxbench.report", "jaxbench.metrics", "jaxbench.__main__"])
def test_nothing_that_a_report_does_not_need_is_loaded(name):
  script = f"import sys, {name}; print(*{{each.partition('.')[0] for each in sys.modules}})"
  command = [sys.executable, "-c", script]
  process = subprocess.run(command, capture_output=True, text=True, check=True)
  assert not HEAVY & set(process.stdout.split())
