"""The page of a real run, read back: every number must be the one the records give."""

import base64
import hashlib
import html.parser
import io
import json
import math
import re

import matplotlib
import numpy as np
import pytest
from PIL import Image
from scipy import stats

from jaxbench import config, metrics, plan, records, report
from jaxbench.evaluate import runner
from jaxbench.report import budgets, by_setting, classifiers, gallery, plots


@pytest.fixture(scope="module")
def run(tmp_path_factory):
  settings = config.checked(
    config.Config(
      models=("digits-clip", "digits-resnet"),
      data=("digits",),
      prompts=("simple",),
      corruptions=config.Corruptions(names=("contrast",), severities=(1, 5)),
      attacks=config.Attacks(
        names=("fgsm",),
        smallest=("pgd(steps=3)",),
        epsilons=(1 / 255, 8 / 255),
        tolerance=1 / 255,
      ),
      limit=40,
      slots=5,
      gallery=2,
    )
  )
  workdir = tmp_path_factory.mktemp("report") / "run"
  runner.run(settings, plan.make(settings), workdir)
  return workdir


class _Page(html.parser.HTMLParser):
  """Collects cells with their attributes and texts, and everything that could need a network."""

  def __init__(self, text: str):
    super().__init__()
    self.cells, self.links, self.tags, self.images = [], [], set(), []
    self._row, self._open = {}, None
    self.feed(text)

  def handle_starttag(self, tag, attrs):
    attributes = dict(attrs)
    self.tags.add(tag)
    self.links += [v for k, v in attrs if k in ("src", "href", "action", "xlink:href")]
    if tag == "img":
      self.images.append(attributes["src"])
    if tag == "tr":
      self._row = attributes
    if tag == "td":
      self._open = {**self._row, **attributes, "texts": []}
      self.cells.append(self._open)

  def handle_endtag(self, tag):
    if tag == "td":
      self._open = None

  def handle_data(self, data):
    if self._open is not None and data.strip():
      self._open["texts"].append(data.strip())


@pytest.fixture(scope="module")
def page(run):
  report.write([run], run.parent / "report.html")
  return _Page((run.parent / "report.html").read_text())


def _columns(run, cell):
  rows = [row for row in records.read(run).to_pylist() if row["cell"] == cell]
  return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def _share(count, total):
  low = stats.beta.ppf(0.025, count, total - count + 1) if count else 0.0
  high = stats.beta.ppf(0.975, count + 1, total - count) if count < total else 1.0
  return [f"{100 * count / total:.1f}", f"{100 * low:.1f}–{100 * high:.1f}"]


def _epsilon(value):
  return f"{255 * value:.2f}/255" if np.isfinite(value) else "∞"


def test_every_accuracy_and_attack_success_is_that_of_the_records(run, page):
  seen = set()
  for cell in page.cells:
    if "data-cell" not in cell:
      continue
    rows = _columns(run, cell["data-cell"])
    right = rows["prediction"] == rows["label"]
    if cell["data-field"] == "accuracy":
      expected = _share(int(right.sum()), len(right))
    elif cell["data-field"] == "median":
      ranked = np.sort(rows["distance"])
      expected = [_epsilon(ranked[19]), f"{_epsilon(ranked[13])}–{_epsilon(ranked[26])}"]
    else:
      before = rows["clean_prediction"] == rows["label"]
      expected = _share(int((before & ~right).sum()), int(before.sum()))
    assert cell["texts"] == expected
    seen.add((cell["data-cell"], cell["data-field"]))
  cells = records.load_run(run)["cells"]
  attacks = [cell for cell in cells if cell["epsilon"] and not cell["tolerance"]]
  assert len(seen) == len(cells) + len(attacks) == 16


def test_every_paired_difference_is_that_of_the_records(run, page):
  pairs = [cell for cell in page.cells if "data-first" in cell and "data-field" in cell]
  for cell in pairs:
    one, two = (_columns(run, cell[key]) for key in ("data-first", "data-second"))
    right, other = (rows["prediction"] == rows["label"] for rows in (one, two))
    first, second = int((right & ~other).sum()), int((other & ~right).sum())
    discordant = first + second
    tail = sum(math.comb(discordant, k) for k in range(min(first, second) + 1))
    p_value = min(1.0, 2 * tail / 2**discordant)
    expected = {
      "difference": f"{100 * (first - second) / len(right):.1f}",
      "only_first": str(first),
      "only_second": str(second),
      "p_value": f"{p_value:.3f}" if p_value >= 0.001 else f"{p_value:.1e}",
    }[cell["data-field"]]
    assert cell["texts"][0] == expected
  assert len(pairs) == 4 * 3  # Clean, contrast, fgsm.


def test_the_page_needs_nothing_but_itself(page):
  assert not [link for link in page.links if not link.startswith(("data:", "#"))]
  assert not page.tags & {"iframe", "object", "embed", "base", "form"}


def test_the_policy_allows_its_one_script_and_no_network(run, page):
  text = (run.parent / "report.html").read_text()
  (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
  (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
  digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
  rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
  assert rules["default-src"] == "'none'"
  assert rules["img-src"] == "data:"
  assert rules["script-src"] == f"'sha256-{digest}'"
  assert not re.search(r"\son\w+=|javascript:", text)


def test_the_gallery_shows_the_pictures_of_the_records(run, page):
  # Contrast, shown to both models; FGSM and PGD of each; examples, kinds.
  assert len(page.images) == (1 + 2 * 2) * 2 * 3
  rows = records.read(run, ["cell", "picture"]).to_pylist()
  kept = {cell["id"]: 0 for cell in records.load_run(run)["cells"]}
  for row in rows:
    kept[row["cell"]] += row["picture"] is not None
  assert set(kept.values()) == {2}


def test_pictures_are_what_was_judged_to_8_bits(run):
  rows = records.read(run).to_pylist()
  for row in rows:
    if row["picture"] is not None and np.isfinite(row["distance"] or 0) and row["epsilon"]:
      (clean,) = [
        r["picture"]
        for r in rows
        if r["perturbation"] == "clean"
        and (r["model"], r["example"]) == (row["model"], row["example"])
      ]
      before, after = (
        np.asarray(Image.open(io.BytesIO(png)), np.float64) for png in (clean, row["picture"])
      )
      rounding = 0.5 / 255 if row["tolerance"] else 0  # Other epsilons are whole grey levels.
      size = np.abs(after - before).max() / 255
      np.testing.assert_allclose(size, row["distance"], atol=rounding + 1e-6)


@pytest.mark.parametrize("backwards", [0, 3])
def test_only_attacks_without_gradients_have_a_query_budget(backwards):
  shared = {"cell": "c", "model": "m", "data": "d", "perturbation": "square", "epsilon": 0.1}
  columns = {name: [0] * 4 for name in ("label", "clean_prediction", "prediction")}
  columns |= {"example": list("abcd"), "forwards": [7, 50, 3, 50], "backwards": [backwards] * 4}
  rows = records.table(shared, columns | {"success": [True, False, True, False]})
  one = classifiers.Classifier("m", None, True, "#0072b2", "-")
  cell = metrics.summarize(rows).to_pylist()[0]
  table = by_setting.Table("square", "attack", ["0.1"], [(one, [cell])], "", "linf", None)
  plot = budgets.queries(table, {"c": rows})
  assert ("queries, epsilon 0.1" in plot) == (backwards == 0)


def _accuracies(count, letters, last=50.0):
  """A plot of as many settings, whose names are as long."""
  values = [50.0] * (count - 1) + [last]
  curve = plots.Curve("a", "#0072b2", "-", values, [40.0] * count, [60.0] * count)
  settings = [f"s{index:0{letters - 1}}" for index in range(count)]
  return plots.accuracy_curves("of many", "setting", settings, [curve])


@pytest.mark.parametrize(("count", "letters"), [(4, 20), (6, 5), (17, 4), (10_000, 6)])
def test_an_axis_names_as_many_settings_as_can_be_read(count, letters):
  named = re.findall(r">(s\d+)<", _accuracies(count, letters))
  assert named[0] == f"s{0:0{letters - 1}}"
  if count <= 8:
    assert len(named) == count
  else:
    assert 3 <= len(named) <= 38 / (letters + 1) + 1
    steps = np.diff([int(name[1:]) for name in named])
    assert len(set(steps)) == 1


def test_plots_of_many_settings_are_no_larger():
  assert len(_accuracies(10_000, 6)) < 2 * len(_accuracies(400, 6))


@pytest.mark.parametrize("count", [2, 399, 401, 10_001])
def test_a_curve_ends_at_the_last_setting(count):
  assert _accuracies(count, 6, last=0.0) != _accuracies(count, 6)


def test_numbers_of_a_heat_map_stand_out_from_their_colour():
  """At least 4.5 to 1, as WCAG 2.1 asks for (relative luminance by its definition)."""
  values = [float(value) for value in range(101)]
  svg = plots.heat_map("a", ["from"], [f"to {value}" for value in values], [values])
  texts = re.findall(r'<text style="([^"]*)"[^>]*>(\d+\.0)</text>', svg)
  assert [float(text) for _, text in texts] == values
  colors = matplotlib.colormaps["cividis"](np.array(values) / 100)[:, :3]
  linear = np.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4)
  behind = 0.05 + linear @ [0.2126, 0.7152, 0.0722]
  letters = np.array([1.05 if "fill: #ffffff" in style else 0.05 for style, _ in texts])
  assert (np.maximum(behind, letters) / np.minimum(behind, letters)).min() > 4.5


def test_a_difference_is_magnified_by_the_largest_whole_factor():
  before = np.full((2, 2, 3), 100)
  png, factor = gallery.magnify(before, before + np.array([5, -10, 0]))
  assert factor == 12
  found = np.asarray(Image.open(io.BytesIO(png)))
  assert (found == 128 + 12 * np.array([5, -10, 0])).all()


def test_protocol_names_what_it_takes_to_repeat_the_run(run, page):
  text = (run.parent / "report.html").read_text()
  described = records.load_run(run)
  for model in described["identity"]["models"].values():
    assert model["sha256"] in text
  (session,) = described["sessions"]
  assert session["started"] in text
  assert f"jax {session['libraries']['jax']}" in text
  assert session["seconds"] is not None
  assert "a photo of a {}." in text
  assert "Only a random sample of 40 examples" in text


def test_text_from_data_is_escaped(run, tmp_path):
  described = records.load_run(run)
  described["data"]["digits"]["class_names"][0] = "<script>alert(1)</script>"
  described["absent"] = [{"what": "<b>x</b>", "reason": "a & b"}]
  copy = tmp_path / "run<i>"
  copy.mkdir()
  (copy / "records").symlink_to(run / "records")
  (copy / "run.json").write_text(json.dumps(described))
  report.write([copy], tmp_path / "report.html")
  text = (tmp_path / "report.html").read_text()
  assert text.count("<script") == 1
  assert "<b>x</b>" not in text
  assert "&lt;b&gt;x&lt;/b&gt;</b>: a &amp; b" in text
  assert "run<i>" not in text


def test_an_unfinished_run_is_reported_with_what_is_missing(run, tmp_path):
  described = records.load_run(run)
  (tmp_path / "run" / "records").mkdir(parents=True)
  (tmp_path / "run" / "run.json").write_text(json.dumps(described))
  clean = [cell["id"] for cell in described["cells"] if cell["perturbation"] == "clean"]
  rows = records.read(run)
  keep = [cell in clean for cell in rows["cell"].to_pylist()]
  store = records.Store(tmp_path / "run", described)
  store.write("digits", 0, [rows.filter(keep)])
  report.write([tmp_path / "run"], tmp_path / "report.html")
  text = (tmp_path / "report.html").read_text()
  assert text.count("not computed yet") == 1
  told = text[text.index("Not in this report") : text.index('class="legend"')]
  assert all((cell["id"] in told) == (cell["id"] not in clean) for cell in described["cells"])
  assert f"and {len(described['cells']) - len(clean) - 1} more: not computed yet" in told
  assert "Smallest epsilon" not in text  # Nothing was searched.
  assert "<td>absent</td>" in text
