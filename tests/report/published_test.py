"""RobustBench's form and published tables, from rows that are written here."""

import json
import re

import numpy as np
import pytest

from jaxbench import config, errors, plan, records, report
from jaxbench.evaluate import provenance
from jaxbench.metrics import published

EPSILONS = (2 / 255, 4 / 255)


def _run(folder, attacks, *, complete=True, **changes):
  """A run of which 7 of 10 examples are right when clean, and 4 or 3 under each attack."""
  settings = config.checked(
    config.Config(
      models=("digits-clip", "digits-resnet"),
      data=("digits",),
      attacks=config.Attacks(names=attacks, epsilons=EPSILONS),
      limit=10,
      **changes,
    )
  )
  made = plan.make(settings)
  store = records.Store(folder, provenance.describe_run(settings, made))
  labels, clean = np.zeros(10, np.int32), (np.arange(10) >= 7).astype(np.int32)
  for cell in made.cells:
    attacked = cell.perturbation.one_label
    right = (4 if cell.perturbation.epsilon == EPSILONS[0] else 3) if attacked else 7
    rows = 9 if attacked and not complete else 10
    success = None if not attacked else (np.arange(10) >= right)[:rows]
    columns = {
      "example": [f"{row}" for row in range(rows)],
      "label": labels[:rows],
      "clean_prediction": clean[:rows],
      "prediction": (np.arange(10) >= right).astype(np.int32)[:rows],
      "success": [None] * rows if success is None else success,
      "forwards": labels[:rows] + 1,
      "backwards": labels[:rows],
    }
    store.write("digits", 0, [records.table(cell.columns, columns)])
  return folder


def test_standard_autoattack_is_written_as_robustbench_has_it(tmp_path):
  run = _run(tmp_path / "run", ("autoattack", "autoattack(norm='l2')", "pgd(steps=3)"))
  files = report.robustbench(run, tmp_path / "model_info")
  names = {str(file.relative_to(tmp_path / "model_info")) for file in files}
  assert len(names) == 8
  assert {"digits/Linf/digits-clip_simple.json", "digits/L2/digits-resnet.json"} < names
  found = json.loads((tmp_path / "model_info/digits/Linf/digits-resnet.json").read_text())
  assert found["footnote"] == "examples: 10 of digits instead of RobustBench's 5,000"
  assert (found["eps"], found["clean_acc"], found["autoattack_acc"]) == ("2/255", "70.00", "40.00")
  other = json.loads((tmp_path / "model_info/digits/Linf/digits-resnet_4_255.json").read_text())
  assert (other["eps"], other["autoattack_acc"]) == ("4/255", "30.00")
  assert found["dataset"] == "digits"
  assert found["link"] is None


@pytest.mark.parametrize(
  ("attack", "complete"),
  [("autoattack", False), ("autoattack(attacks=('apgd-ce',))", True), ("square", True)],
)
def test_nothing_less_is_called_autoattack(attack, complete, tmp_path):
  run = _run(tmp_path / "run", (attack,), complete=complete)
  with pytest.raises(errors.InputError, match="all of standard autoattack"):
    report.robustbench(run, tmp_path / "model_info")


def _page(folder, monkeypatch, attacks, asked):
  """Of a published table of the digits, measured with the attack `asked`."""
  found = [
    published.Accuracy("Swin <L>", "4/255", 0.324),
    published.Accuracy("digits-resnet", "clean", 0.611),
    published.Accuracy("digits-resnet", "4/255", 0.66),
  ]
  for module in (published, published.robust):
    monkeypatch.setattr(module, "accuracies", lambda name, data: found)

  def protocol(name, data, line, *, attacked):
    return published.Protocol("digits", 10, attack=asked if attacked else None)

  monkeypatch.setattr(published, "protocol", protocol)
  run = _run(folder / "run", attacks, published=("robustbench",))
  report.write([run], folder / "report.html")
  return (folder / "report.html").read_text()


def test_a_number_under_another_attack_is_shown_without_a_mark(tmp_path, monkeypatch):
  page = _page(tmp_path, monkeypatch, ("pgd(steps=3)",), "pgd(steps=4)")
  _, resnet = re.findall(r"<tr>.*?</tr>", page[page.index('<tbody class="ours">') :], re.S)[:2]
  assert "<small>published 66.0</small>" in resnet
  assert "<small>≈ published 61.1</small>" in resnet  # The clean images are those of its protocol.
  assert "attacked: attack: pgd(steps=3) instead of pgd(steps=4)</td>" in resnet


@pytest.mark.slow
def test_of_several_attacks_that_of_the_protocol_stands_there(tmp_path, monkeypatch):
  attacks = ("fgsm", "pgd(steps=3)", "pgd(steps=4)")
  page = _page(tmp_path, monkeypatch, attacks, "pgd(norm='linf', steps=3)")
  assert "this run under pgd(steps=3);" in page
  assert "≠ published 66.0" in page


def test_published_numbers_stand_beside_our_own(tmp_path, monkeypatch):
  page = _page(tmp_path, monkeypatch, ("pgd(steps=3)",), "pgd(steps=3)")
  assert '<tr><th scope="row">Swin &lt;L&gt;</th><td>32.4</td><td>–</td><td></td></tr>' in page
  clip, resnet = re.findall(r"<tr>.*?</tr>", page[page.index('<tbody class="ours">') :], re.S)[:2]
  assert re.findall(r'data-field="accuracy">(\d+\.\d)<small>', clip) == ["30.0", "70.0"]
  assert re.findall(r'data-field="accuracy">(\d+\.\d)<small>', resnet) == ["30.0", "70.0"]
  assert "@4/255#" in resnet
  assert "published" not in clip
  assert "<small>published as digits-resnet</small>" in resnet
  # Of ten examples, 3 are 6.7 to 65.2 % and 7 are 34.8 to 93.3 %.
  attacked, clean, differs = re.findall(r"<td.*?</td>", resnet, re.S)
  assert differs == '<td class="words">–</td>'
  assert '<small class="differs">≠ published 66.0</small>' in attacked
  assert "<small>≈ published 61.1</small>" in clean


@pytest.mark.parametrize(
  ("name", "model", "line"),
  [
    ("fare", "models/fare4-clip", "FARE 4/255"),
    ("fare", "chs20/tecoa2-clip@main", "TeCoA 2/255"),
    ("fare", "openai/clip-vit-large-patch14", "CLIP"),
    ("fare", "openai/clip-vit-large-patch14-336", None),
    ("fare", "models/CLIP", None),
    ("robustbench", "timm/resnet50.tv_in1k", "Standard_R50"),
    ("robustbench", "models/Salman2020Do_R50/", "Salman2020Do_R50"),
    ("robustbench", "timm/resnet101.tv_in1k", None),
  ],
)
def test_only_the_same_weights_are_compared(name, model, line):
  found = published.under_attack(name, "imagenet", model)
  assert (found and found[0]) == line
  if found:
    own = {
      one.epsilon: one.accuracy
      for one in published.accuracies(name, "imagenet")
      if one.model == line
    }
    assert found[1] == own


@pytest.mark.slow
def test_a_data_set_that_was_not_published_shows_nothing(tmp_path):
  run = _run(tmp_path / "run", ("pgd(steps=3)",), published=("fare", "robustbench"))
  report.write([run], tmp_path / "report.html")
  assert '<tbody class="ours">' not in (tmp_path / "report.html").read_text()


def test_published_tables_hold_what_their_sources_say():
  found = published.accuracies("fare", "imagenet")
  (own,) = [one for one in found if (one.model, one.epsilon) == ("FARE 4/255", "4/255")]
  assert own.accuracy == pytest.approx(0.333)
  assert len(found) == 15
  sets = ("caltech101", "cars", "cifar10", "cifar100", "dtd", "eurosat", "fgvc_aircraft", "flowers")
  sets += ("imagenet-r", "imagenet-sketch", "pcam", "pets", "stl10")
  for model, mean in (("TeCoA 2/255", 27.0), ("FARE 2/255", 20.5), ("TeCoA 4/255", 31.9)):
    shares = [
      one.accuracy
      for name in sets
      for one in published.accuracies("fare", name)
      if (one.model, one.epsilon) == (model, "4/255")
    ]
    assert abs(100 * np.mean(shares) - mean) < 0.06
  models = published.accuracies("robustbench", "imagenet")
  resnet = {one.epsilon: one.accuracy for one in models if one.model == "Salman2020Do_R50"}
  assert resnet == pytest.approx({"clean": 0.6402, "4/255": 0.3496})


def test_an_unknown_table_is_one_clear_line():
  settings = config.Config(models=("digits-clip",), data=("digits",), published=("fair",))
  with pytest.raises(errors.InputError, match="Did you mean 'fare'"):
    plan.make(config.checked(settings))


@pytest.mark.parametrize(
  ("metric", "shown"),
  [("top-1", r"70\.0<small>.*</small>\s*<small>published 71\.0"), ("mean per class", "published")],
)
def test_a_clean_number_of_the_same_weights_stands_beside(tmp_path, monkeypatch, metric, shown):
  run = _run(tmp_path / "run", ("fgsm",))
  told = json.loads((run / "run.json").read_text())
  told["data"]["digits"]["metric"] = metric
  (run / "run.json").write_text(json.dumps(told))
  prompts = published.Prompts("openai_80", ("a {}",))
  protocol = published.Protocol("digits", 360, prompts, published.Pixels())
  known = {("digits-clip", "digits", metric): published.Reference(0.71, "somebody", protocol)}
  monkeypatch.setattr(published, "zero_shot", lambda *key: known.get(key))
  report.write([run], tmp_path / "report.html")
  page = (tmp_path / "report.html").read_text()
  (table,) = re.findall(r"<table>\s*<caption>Clean accuracy.*?</table>", page, re.DOTALL)
  assert re.search(shown, table, re.DOTALL)
  assert "prompts: simple instead of openai_80" in table
  assert "examples: 10 instead of all 360" in table
  assert "digits-resnet" not in table
