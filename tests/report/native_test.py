"""Runs at the images' own size: no epsilon of theirs can be taken for one at a model's."""

import re

import numpy as np
import pytest
from references import runs

from jaxbench import config, report

OWN = "at the images&#39; own 8 x 8 pixels; the model resizes them inside"
TOLD = (  # Captions that show what was perturbed.
  *("Clean images", "Accuracy under contrast", "Accuracy under fgsm", "Attack success of fgsm"),
  *("Common corruptions together", "Smallest epsilon (linf)", "Transfer of mim", "Words on the im"),
)


def _page(folder, **changes):
  settings = config.checked(
    config.Config(
      models=("digits-resnet",),
      data=("digits",),
      corruptions=config.Corruptions(names=("contrast",)),
      typography=("text",),
      attacks=config.Attacks(
        names=("fgsm",), smallest=("pgd(steps=3)",), transfer=("mim(steps=3)",)
      ),
      limit=20,
      **changes,
    )
  )
  run = runs.write(folder / "run", settings, lambda cell: np.arange(20) < 9)
  report.write([run], folder / "report.html")
  return (folder / "report.html").read_text()


@pytest.fixture(scope="module")
def page(tmp_path_factory):
  return _page(tmp_path_factory.mktemp("native"), native=True)


@pytest.mark.parametrize("caption", TOLD)
def test_captions_say_it(page, caption):
  told = [one for one in re.findall(r"<caption>(.*?)</caption>", page) if one.startswith(caption)]
  assert told
  assert all(OWN in one for one in told)


def test_so_do_plots_and_the_threat_model(page):
  assert "epsilon at 8 x 8 pixels" in page
  assert re.search(r"transfer of mim\(steps=3\), \S+ at 8 x 8 pixels", page)
  (threat,) = re.findall(r"<dt>Threat model</dt><dd>(.*?)</dd>", page)
  assert f"of digits {OWN}, where no epsilon is to be compared with" in threat


@pytest.mark.slow
def test_a_run_at_the_models_size_says_nothing_of_it(tmp_path):
  assert "8 x 8" not in _page(tmp_path)
