"""Two runs side by side, and their exports, through the command line; rows are written by hand."""

import csv
import json
import pathlib
import re

import numpy as np
import pytest
from references import command, runs
from scipy import stats

from jaxbench import config, records, report
from jaxbench.report import comparison

ROOT = pathlib.Path(__file__).parents[2]
EXAMPLES = 40
EPSILONS = (1 / 255, 4 / 255)


def _settings(**changes):
  attacks = config.Attacks(names=("fgsm",), smallest=("pgd(steps=3)",), epsilons=EPSILONS)
  settings = {"models": ("digits-clip", "digits-resnet"), "limit": EXAMPLES, "attacks": attacks}
  return config.checked(config.Config(data=("digits",), **settings | changes))


def _right(counts):
  """The first examples are right: as many as `counts` says of a perturbation, 30 by default."""
  return lambda cell: np.arange(EXAMPLES) < counts.get((cell.model, cell.perturbation.text), 30)


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
  """In the second, CLIP is worse when clean, and the ResNet better under FGSM."""
  folder = tmp_path_factory.mktemp("pair")
  before = {("digits-resnet", "fgsm"): 10}
  after = {("digits-clip", "clean"): 12}
  return [
    runs.write(folder / "before", _settings(), _right(before)),
    runs.write(folder / "after", _settings(), _right(after)),
  ]


def test_regressions_come_first_and_p_values_hold_for_all_together(pair):
  changes = comparison.compare(*pair)
  found = changes.differences
  assert [one.verdict for one in found[:3]] == ["regression", "improvement", "improvement"]
  assert {one.verdict for one in found[3:]} == {"no difference found"}
  worst = found[0]
  assert (worst.classifier, worst.perturbation) == ("digits-clip, simple", "clean")
  assert (worst.before, worst.after) == (30 / 40, 12 / 40)
  assert (worst.comparison.only_first, worst.comparison.only_second) == (0, 18)
  p_value = stats.binomtest(0, 18).pvalue
  assert worst.comparison.p_value == pytest.approx(p_value)
  assert len(found) == 2 * (1 + 2 + 2)  # Clean, FGSM at both epsilons, PGD quoted at both.
  # The improvements have 20 examples each; the regression's p-value is the third smallest.
  assert worst.adjusted == pytest.approx((len(found) - 2) * p_value)
  assert (changes.only_first, changes.only_second) == (0, 0)


def test_runs_of_one_model_each_are_compared_whatever_it_is_called(tmp_path):
  one = runs.write(tmp_path / "one", _settings(models=("digits-clip",)), _right({}))
  other = _settings(models=("digits-clip-robust",))
  two = runs.write(tmp_path / "two", other, _right({("digits-clip-robust", "clean"): 40}))
  found = comparison.compare(one, two).differences
  assert found[0].classifier == "digits-clip → digits-clip-robust, simple"
  assert found[0].comparison.only_first == 10


def test_what_is_perturbed_at_its_own_size_is_not_compared_with_what_is_at_a_models(pair, tmp_path):
  native = runs.write(tmp_path / "native", _settings(native=True), _right({}))
  changes = comparison.compare(pair[0], native)
  assert not changes.differences
  assert changes.only_first == changes.only_second > 0
  report.export(native, tmp_path / "out")
  assert ", at 8 x 8 pixels & 75.0" in (tmp_path / "out/table.tex").read_text()
  card = (tmp_path / "out/model-card-digits-clip.md").read_text()
  assert card.count("at the images' own 8 x 8 pixels") == card.count("type: accuracy")
  with (tmp_path / "out/cells.csv").open() as file:
    assert {row["native"] for row in csv.DictReader(file)} == {"8"}


def test_the_command_line_compares_and_exports(pair, tmp_path):
  page, folder = tmp_path / "both.html", tmp_path / "tables"
  command.call("jaxbench.report", *pair, f"--out={page}", f"--export={folder}")
  verdicts = re.findall(r'data-change="([\w ]+)"', page.read_text())
  assert verdicts[:2] == ["regression", "improvement"]
  assert page.read_text().index("data-change") < page.read_text().index("Clean images")
  with (folder / "2" / "cells.csv").open() as file:
    cells = {row["cell"]: row for row in csv.DictReader(file)}
  assert cells.keys() == {cell["id"] for cell in records.load_run(pair[1])["cells"]}
  (clean,) = [row for row in cells.values() if (row["model"], row["perturbation"]) == CLIP_CLEAN]
  assert float(clean["accuracy"]) == 12 / 40


CLIP_CLEAN = ("digits-clip", "clean")


def test_exports_hold_the_figures_of_the_records(pair, tmp_path):
  files = report.export(pair[0], tmp_path)
  assert {file.name for file in files} == {
    *("cells.csv", "table.tex", "model-card-digits-clip.md", "model-card-digits-resnet.md")
  }
  table = (tmp_path / "table.tex").read_text()
  assert r"digits-resnet & 75.0 & 25.0 & 25.0 \\" in table
  assert r"\toprule" in table
  card = (tmp_path / "model-card-digits-clip.md").read_text()
  values = re.findall(r"type: accuracy, value: ([\d.]+), name: (\"[^\"]*\")", card)
  assert {value for value, _ in values} == {"0.7500"}
  low, high = stats.beta.ppf([0.025, 0.975], [30, 31], [11, 10])
  assert f"95 % interval {low:.4f} to {high:.4f}; 40 examples" in json.loads(values[0][1])


def test_latex_is_escaped_and_so_is_a_cards_yaml(tmp_path):
  names = {"digits-resnet": 'a_b & 50% "$x$" \\ #1'}
  settings = _settings(models=("digits-resnet",))
  report.export(runs.write(tmp_path / "run", settings, _right({}), names=names), tmp_path / "out")
  table = (tmp_path / "out" / "table.tex").read_text()
  assert r"a\_b \& 50\% " in table
  assert r"\$x\$" in table
  assert r"\textbackslash{} \#1 & 75.0" in table
  (card,) = (tmp_path / "out").glob("*.md")
  (name,) = re.findall(r"^- name: (.*)$", card.read_text(), re.MULTILINE)
  assert json.loads(name) == names["digits-resnet"]


def test_one_line_reads_records_elsewhere(pair, tmp_path, monkeypatch):
  """The lines of the page on records, on a run of that name."""
  tools = {name: pytest.importorskip(name) for name in ("pandas", "polars", "duckdb")}
  (tmp_path / "runs").mkdir()
  (tmp_path / "runs" / "quickstart").symlink_to(pair[0])
  monkeypatch.chdir(tmp_path)
  readme = (ROOT / "jaxbench/records/README.md").read_text()
  (block,) = re.findall(r"```python\n(pandas.*?)```", readme, re.DOTALL)
  with_pandas, with_polars, with_sql = (eval(line, tools) for line in block.strip().splitlines())
  expected = records.read(pair[0], ["cell"]).num_rows
  assert len(with_pandas) == len(with_polars) == expected
  assert sum(count for *_, count in with_sql.fetchall()) == expected
