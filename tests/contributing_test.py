"""CONTRIBUTING names the files that a change touches: all of them, and no others."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[1]
PAGE = (ROOT / ".github" / "CONTRIBUTING.md").read_text()
PATH = re.compile(r"`((?:jaxbench|tests|configs|third_party|\.github)/[\w./-]+|README\.md)`")
RECIPES = dict(re.findall(r"^## [^\n]+ \(as `(\w+)`\)\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S))


def _files_that_say(word):
  said = re.compile(rf"(?<![A-Za-z]){word}(?![a-z])", re.IGNORECASE)
  files = (ROOT / "jaxbench").rglob("*.py")
  return {str(file.relative_to(ROOT)) for file in files if said.search(file.read_text())}


def _steps(body):
  """The first file that each numbered step names."""
  return [PATH.search(line)[1] for line in body.splitlines() if re.match(r"\d+\. ", line)]


def test_all_five_recipes_are_there():
  headings = re.findall(r"^## (.+) \(as", PAGE, re.M)
  kinds = ("attack", "corruption", "data set", "architecture", "kind of perturbation")
  assert [[kind in heading for heading in headings].count(True) for kind in kinds] == [1] * 5


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_lists_every_file_that_names_its_example(name):
  body = RECIPES[name]
  steps, besides = _steps(body), re.findall(r"^Besides: ([^\n]+?)\. ", body, re.M)
  others = {path for sentence in besides for path in PATH.findall(sentence)}
  code = {step for step in steps if re.fullmatch(r"jaxbench/.*\.py", step)}
  assert code | others == _files_that_say(name)
  for step in steps:
    assert re.search(name, (ROOT / step).read_text(), re.IGNORECASE), step


def test_every_file_that_is_named_is_there():
  named = PATH.findall(PAGE)
  assert len(named) > 40
  assert [path for path in named if not (ROOT / path).exists()] == []
