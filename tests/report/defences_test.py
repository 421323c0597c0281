"""The section on test-time defences, from a run whose rows are written by hand."""

import html
import re

import numpy as np
import pytest
from references import runs

from jaxbench import config, report

MODELS = ("digits-clip", "digits-clip|ttc(steps=1)", "digits-clip|tte")
BPDA = "digits-clip|ttc(steps=1, backward='bpda')"


def _right(cell):
  """Of 20 examples the first few."""
  if cell.perturbation.text == "clean":
    return np.arange(20) < 18
  if cell.model == MODELS[0]:
    return np.arange(20) < 4
  surrogate = cell.perturbation.described.get("surrogate")
  return np.arange(20) < {None: 6, MODELS[0]: 9, BPDA: 10}[surrogate]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
  folder = tmp_path_factory.mktemp("defences")
  attacks = config.Attacks(
    transfer=("fgsm",),
    surrogates=(MODELS[0], BPDA),
    names=("square(queries=5)",),
    epsilons=(4 / 255,),
  )
  settings = config.Config(models=MODELS, data=("digits",), attacks=attacks, limit=20)
  run = runs.write(folder / "run", config.checked(settings), _right)
  report.write([str(run)], folder / "report.html")
  return (folder / "report.html").read_text()


def _row(page, model):
  found = re.search(
    rf"<tr><th scope=\"row\">{re.escape(html.escape(model))}, simple</th>(.*?)</tr>",
    page[page.index('-defences">Test-time') :],
  )
  cells = re.findall(r"<td[^>]*>(.*?)</td>", found[1])
  return [re.sub(r"<small>.*", "", cell) for cell in cells]


def test_levels_the_worst_and_the_difference_to_the_base_are_in_a_row(page):
  ttc = _row(page, MODELS[1])
  assert ttc[1:] == ["4/255", "90.0", "45.0", "50.0", "30.0", "30.0", "20.0", "+10.00", "3/1"]
  tte = _row(page, MODELS[2])
  # Nothing was made through it; images made through the other count for the worst.
  assert tte[1:] == ["4/255", "90.0", "45.0", "–", "30.0", "30.0", "20.0", "+10.00", "10/0"]


def test_reasons_for_doubt_are_above(page):
  above = html.unescape(page[: page.index("Test-time defences: what are they worth?</h3>")])
  assert f"{MODELS[1]} on digits, 4/255</b>: images made on the undefended model fool it" in above
  assert f"{MODELS[1]} on digits, 4/255</b>: queries of answers fool it" in above
  assert f"{MODELS[2]} on digits, 4/255</b>: no attack went through it" in above
