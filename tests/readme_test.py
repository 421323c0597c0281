import pathlib
import re

import jax
import pytest

from jaxbench import attacks, data, models

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


OWN = re.findall(
  r"```python\n(.*?)```", (ROOT / "jaxbench/models/README.md").read_text(), re.DOTALL
)


@pytest.mark.parametrize("example", range(4))
def test_the_models_of_ones_own_are_evaluated_as_they_stand(example, tmp_path, scans):
  assert len(OWN) == 4
  (tmp_path / "mine.py").write_text(OWN[example])
  images, labels = (array[:8] for array in scans)
  model = models.load(str(tmp_path / "mine.py"))
  groups = data.load("digits").label_space.supervised_groups(
    model.config.num_classes, model.config.class_names
  )
  classifier = model if groups is None else models.pooled(model, groups)
  result = attacks.run(attacks.pgd(steps=2), classifier, images, labels, 8 / 255, 0, slots=1)
  assert result.success.any()


def _links(page):
  return [(page, link) for link in re.findall(r"\]\(([^)#]+)\)", (ROOT / page).read_text())]


PAGES = (
  "README.md",
  "launch/README.md",
  "jaxbench/distributed/README.md",
  "jaxbench/models/README.md",
)


@pytest.mark.parametrize(("page", "link"), [link for page in PAGES for link in _links(page)])
def test_links_lead_somewhere(page, link):
  assert link.startswith("https://") or (ROOT / page).parent.joinpath(link).exists()
