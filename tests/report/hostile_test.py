"""Names that want to be code, markup or formulas, or to turn the page round, are only names."""

import html.parser
import re

import numpy as np
import pytest
from references import runs

from jaxbench import config, report

EXAMPLES = 12
TURN = "\u202e"  # Writes from right to left.
SCRIPT = '<script>alert("1")</script>'
NAMES = {
  "digits-clip": f"{SCRIPT}' onload='x() $\\frac{{$ {{{{ 7 * 7 }}}} {TURN}",
  "a photo of a {}.": f"</pre>{SCRIPT} a {{}} {TURN}",
  "zero": f'"</td>{SCRIPT}&amp; שלום {TURN}"',
  "file 000": f'file" onerror="alert(1) <img src=http://x.example/y> {TURN}',
}


class _Elements(html.parser.HTMLParser):
  """Tags, attributes and their values."""

  def __init__(self, text):
    super().__init__()
    self.tags, self.attributes = [], []
    self.feed(text)

  def handle_starttag(self, tag, attrs):
    self.tags.append(tag)
    self.attributes += attrs


def _page(folder, names):
  attacks = config.Attacks(
    names=("pgd(steps=20)",), smallest=("fgsm", "bim(steps=3)"), transfer=("fgsm",)
  )
  settings = config.Config(
    models=("digits-clip", "digits-resnet"),
    data=("digits", "digits-printed"),
    perturbed=("digits",),
    corruptions=config.Corruptions(names=("fog",)),
    attacks=attacks,
    limit=EXAMPLES,
  )
  draw = np.random.default_rng(0)
  run = runs.write(
    folder / "run", config.checked(settings), lambda cell: draw.random(EXAMPLES) < 0.6, names=names
  )
  report.write([run, run], folder / "report.html")
  return (folder / "report.html").read_text()


@pytest.mark.slow
def test_hostile_names_are_inert(tmp_path):
  (tmp_path / "tame").mkdir()
  (tmp_path / "wild").mkdir()
  tame, wild = _page(tmp_path / "tame", {}), _page(tmp_path / "wild", NAMES)
  expected, found = _Elements(tame), _Elements(wild)
  assert found.tags.count("script") == 1
  assert sorted(found.tags) == sorted(expected.tags)
  assert {name for name, _ in found.attributes} == {name for name, _ in expected.attributes}
  links = [value for name, value in found.attributes if name in ("src", "href", "xlink:href")]
  assert all(value.startswith(("data:", "#")) for value in links)
  assert "{{ 7 * 7 }}" in wild
  assert "&lt;script&gt;alert" in wild
  assert "שלום" in wild


@pytest.mark.slow
def test_sections_are_filled_and_named_for_those_who_cannot_see(tmp_path):
  page = _page(tmp_path, {})
  for text in (
    "mean of shifts",
    "convergence of pgd(steps=20)",
    "the strongest of 2 attacks",
    "Calibration: expected calibration error",
    "Worst classes of digits",
    "Common corruptions together",
    "Transfer of fgsm",
    "plot: digits-printed",
    "of which it has 1",
    "Exactly the pixels" if "text(" in page else "Rounded to 8 bits",
  ):
    assert text in page
  assert len(re.findall(r"<svg role=\"img\"", page)) == len(
    re.findall(r"<svg role=\"img\" aria-label=\"plot: [^\"]+\"", page)
  )
  assert page.count("<svg") == page.count('<svg role="img"') + page.count('aria-hidden="true"')
  assert page.count("<table>") == page.count("<caption>")
  ids = re.findall(r'<[a-z0-9]+ id="(run[^"]*|change[^"]*)"', page)
  assert len(ids) == len(set(ids))
  assert set(re.findall(r'href="#([^"]+)"', page)) >= {"run1", "change1", "run2-natural"}
