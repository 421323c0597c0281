"""The first screen: figures by hand, who is best, who cannot be told from the best."""

import numpy as np
import pytest
from references import runs

from jaxbench import config, errors, metrics, report
from jaxbench.report import content, first, plots, tradeoff
from jaxbench.report.classifiers import Classifier

EXAMPLES = 20


def _right(cell):
  """By model and suite."""
  supervised = cell.model == "digits-resnet"
  if cell.perturbation.one_label:
    return np.arange(EXAMPLES) < (2 if supervised else 15)
  if cell.perturbation.text in ("fog", "contrast"):
    return np.arange(EXAMPLES) < (10 if supervised else 12)
  return np.arange(EXAMPLES) < (19 if supervised else 18)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
  settings = config.checked(
    config.Config(
      models=("digits-clip", "digits-resnet"),
      data=("digits", "digits-printed"),
      perturbed=("digits",),
      corruptions=config.Corruptions(names=("fog", "contrast"), severities=(1, 5)),
      typography=("text",),
      attacks=config.Attacks(names=("fgsm", "bim(steps=3)"), smallest=("pgd(steps=3)",)),
      limit=EXAMPLES,
    )
  )
  return runs.write(tmp_path_factory.mktemp("first") / "run", settings, _right)


@pytest.fixture(scope="module")
def found(run):
  return content.load(run).first


def _figures(found, place):
  line = found.lines[place]
  return dict(zip([column.key for column in found.columns], line.values, strict=True))


def test_a_line_holds_a_figure_for_each_question(found):
  keys = [column.key for column in found.columns]
  wanted = ["clean", "natural", "corruptions", "attacked", "smallest_epsilon", "typographic_drop"]
  assert keys == wanted
  clip, resnet = _figures(found, 0), _figures(found, 1)
  assert (clip["clean"].value, resnet["clean"].value) == (18 / 20, 19 / 20)
  assert (clip["natural"].value, resnet["natural"].value) == (18 / 20, 19 / 20)
  assert (clip["corruptions"].value, resnet["corruptions"].value) == pytest.approx((0.6, 0.5))
  # The smallest epsilons of what falls are 0.005, beyond which the main epsilon, 4/255, is.
  assert (clip["attacked"].value, resnet["attacked"].value) == (15 / 20, 2 / 20)
  assert clip["clean"][1:3] == pytest.approx(metrics.proportion(18, 20)[1:])
  assert clip["typographic_drop"].value == 0


def test_what_cannot_be_told_from_the_best_is_best_too(found):
  clip, resnet = _figures(found, 0), _figures(found, 1)
  assert clip["clean"].best
  assert resnet["clean"].best
  assert clip["attacked"].best
  assert not resnet["attacked"].best


def test_less_may_be_better():
  column = first.Column("mce", "mCE", "relative", False, "")
  one, other = (Classifier(name, None, True, "#0072b2", "-") for name in "ab")
  values = first._values(column, {one: (0.5, 0.4, 0.6), other: (0.8, 0.7, 0.9)})
  assert (values[one].best, values[other].best) == (True, False)


def test_the_sentence_and_the_page_say_what_was_run(found, run, tmp_path):
  sentence = found.sentence
  assert sentence.startswith("2 models on 20 examples of digits, 20 examples of digits-printed, ")
  assert "2 corruptions at 2 severities, 1 typographic attack, 2 attacks and 1 search" in sentence
  report.write([run], tmp_path / "report.html")
  page = (tmp_path / "report.html").read_text()
  assert sentence in page
  assert "<b>75.0</b>" in page
  for place in ("natural", "corruptions", "attacks", "text", "calibration", "cost", "protocol"):
    assert page.count(f'href="#run1-{place}"') == page.count(f'id="run1-{place}"') == 1


def test_numbers_of_points_that_nearly_coincide_stand_together():
  ends = (0.5, 0.4, 0.6)
  shown = [plots.Point(number, "#000000", "o", ends, ends) for number in (1, 1, 2, 3)]
  values = np.array([[97.0, 0.0], [98.0, 90.0], [97.5, 3.0], [90.0, 3.0]])
  labels = tradeoff._labels(shown, values, (15.0, 112.0))
  assert labels == {(97.0, 0.0): [1, 2], (90.0, 3.0): [3]}


def test_the_front_is_what_nothing_else_beats():
  values = np.array([[1.0, 5], [2, 5], [3, 4], [2.5, 3], [3, 1], [0, 6]])
  assert tradeoff.front(values).tolist() == [[0, 6], [2, 5], [3, 4]]


@pytest.mark.parametrize("name", ["run.html", "page.json"])
def test_a_page_whose_figures_would_replace_something_is_refused(name, run):
  """`run.json` is what the run is."""
  before = (run / "run.json").read_bytes()
  with pytest.raises(errors.InputError, match="name the page otherwise"):
    report.write([run], run / name)
  assert (run / "run.json").read_bytes() == before
