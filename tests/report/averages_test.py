"""Averages over data sets on the page and as the row of a paper's table."""

import re

import numpy as np
import pytest
from references import runs

from jaxbench import config, report
from jaxbench.metrics import published

SETS = ("digits", "digits-printed")
RIGHT = {"digits": {"clean": 8, "fgsm": 4}, "digits-printed": {"clean": 6, "fgsm": 1}}


@pytest.fixture
def run(tmp_path, monkeypatch):
  """Of two sets that a paper averages, asked with prompts of their own."""
  monkeypatch.setitem(published.SUITES, "two", SETS)
  monkeypatch.setitem(published.MEANS, "mean-two", "two")
  settings = config.Config(
    models=("digits-clip",),
    data=SETS,
    attacks=config.Attacks(names=("fgsm",), epsilons=(2 / 255,)),
    limit=10,
    published=("fare",),
  )
  names = {"simple": "own"}

  def right(cell):
    return np.arange(10) < RIGHT[cell.data][cell.perturbation.text]

  return runs.write(tmp_path / "run", config.checked(settings), right, names=names)


def test_the_row_of_a_papers_table(run, tmp_path):
  files = {file.name: file for file in report.export(run, tmp_path / "out")}
  text = files["sets.tex"].read_text()
  assert text.count(r"\begin{tabular}{llrrr}") == 2
  assert r" & model, prompts & digits & digits-printed & average \\" in text
  assert r"clean & digits-clip, own & 80.0 & 60.0 & 70.0 \\" in text
  assert r"fgsm 2/255 & digits-clip, own & 40.0 & 10.0 & 25.0 \\" in text
  assert text.count(r"\midrule") == 4


def test_an_average_stands_beside_that_of_the_same_weights(run, tmp_path, monkeypatch):
  found = [
    published.Accuracy("digits-clip", "clean", 0.71),
    published.Accuracy("digits-clip", "2/255", 0.26),
    published.Accuracy("Another", "2/255", 0.5),
  ]
  for module in (published, published.robust):
    monkeypatch.setattr(
      module, "accuracies", lambda name, data: found if data == "mean-two" else []
    )

  def protocol(name, data, line, *, attacked):
    attack = "pgd(steps=3)" if attacked else None
    return published.Protocol(data, 10 if data == "digits" else 7, attack=attack)

  monkeypatch.setattr(published, "protocol", protocol)
  report.write([run], tmp_path / "report.html")
  page = (tmp_path / "report.html").read_text()
  section = page[page.index("<h3>Averages over data sets</h3>") :]
  (table,) = re.findall(r"<table>\s*<caption>two: .*?</table>", section, re.DOTALL)
  another, ours = (
    re.search(rf'<tr><th scope="row">{name}.*?</tr>', table, re.DOTALL)[0]
    for name in ("Another", "digits-clip, own")
  )
  assert re.findall(r"<td>(.*?)</td>", another) == ["–", "50.0", ""]
  shares = ["70.0<small>published 71.0</small>", "25.0<small>published 26.0</small>"]
  assert re.findall(r"<td>(.*?)</td>", ours) == shares
  # What differs on one set is told with its name, on all sets once.
  assert "digits-printed: examples: 10 instead of all 7" in ours
  assert ". attack: fgsm instead of pgd(steps=3); " in ours
  assert "digits: examples" not in ours


@pytest.mark.slow
def test_without_published_means_there_is_the_average_alone(run, tmp_path):
  report.write([run], tmp_path / "report.html")
  page = (tmp_path / "report.html").read_text()
  section = page[page.index("<h3>Averages over data sets</h3>") :].partition("<h3 id")[0]
  assert section.count("<td>70.0</td>") == 2  # As the suite, and as all sets with own prompts.
  assert '<tbody class="ours">' not in section
