import pathlib
import re

import jax
import pytest

ROOT = pathlib.Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_the_examples_run_as_they_stand(capsys):
  blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
  assert len(blocks) == 6
  namespace: dict = {}
  with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
    # Two read a finished quickstart: cli_test and report/comparison_test.py do the same.
    for block in blocks[2:]:
      exec(block, namespace)
  assert "accuracy under attack: " in capsys.readouterr().out


def _links(page):
  return [(page, link) for link in re.findall(r"\]\(([^)#]+)\)", (ROOT / page).read_text())]


@pytest.mark.parametrize(("page", "link"), _links("README.md") + _links("launch/README.md"))
def test_links_lead_somewhere(page, link):
  assert link.startswith("https://") or (ROOT / page).parent.joinpath(link).exists()
