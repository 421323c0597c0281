import pathlib
import re

import jax
import pytest

README = (pathlib.Path(__file__).parents[1] / "README.md").read_text()


def test_the_examples_run_as_they_stand(capsys):
  blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
  assert len(blocks) == 6
  namespace: dict = {}
  with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
    # Two read a finished quickstart: cli_test and report/comparison_test.py do the same.
    for block in blocks[2:]:
      exec(block, namespace)
  assert "accuracy under attack: " in capsys.readouterr().out


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#]+)\)", README))
def test_links_lead_somewhere(link):
  assert link.startswith("https://") or (pathlib.Path(__file__).parents[1] / link).exists()
