import pathlib
import re

import jax
import pytest

from jaxbench import attacks, data, models

ROOT = pathlib.Path(__file__).parents[1]


def _blocks(page):
  return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)


@pytest.mark.parametrize(
  ("page", "count"),
  [
    ("README.md", 1),
    ("jaxbench/attacks/README.md", 1),
    ("jaxbench/corruptions/README.md", 1),
    ("jaxbench/models/README.md", 5),
  ],
)
def test_the_examples_run_as_they_stand(page, count):
  """Those of records read a finished quickstart: cli_test and report/comparison_test.py do that."""
  blocks = _blocks(page)
  assert len(blocks) == count
  with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
    exec(blocks[0], {})


OWN = _blocks("jaxbench/models/README.md")[1:]


@pytest.mark.usual("0", "2")
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


PAGES = [
  *sorted(
    str(page.relative_to(ROOT))
    for folder in ("configs", "launch", "jaxbench")
    for page in (ROOT / folder).rglob("README.md")
  ),
  "README.md",
  ".github/CONTRIBUTING.md",
]


def test_the_first_page_is_short():
  assert len((ROOT / "README.md").read_text().split()) < 1500


@pytest.mark.parametrize(("page", "link"), [link for page in PAGES for link in _links(page)])
def test_links_lead_somewhere(page, link):
  assert link.startswith("https://") or (ROOT / page).parent.joinpath(link).exists()
