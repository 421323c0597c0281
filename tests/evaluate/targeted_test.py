"""Attacks towards a class of each image: which class, what rows say of it, and the page."""

import pathlib

import jax
import numpy as np
import pytest
from flax import nnx
from references import command

from jaxbench import attacks, config, data, errors, metrics, models, plan, records, report
from jaxbench.evaluate import runner
from jaxbench.plan import suites
from jaxbench.plan.perturbations import aims

EPSILON, COUNT, CLASSES = 24 / 255, 24, 10
ATTACK = "bim(steps=3)"  # It draws nothing.


@pytest.fixture(scope="module")
def base(tmp_path_factory):
  """An untrained network, which is quick to compile."""
  folder = tmp_path_factory.mktemp("models") / "base"
  shape = models.ResNetConfig(
    depths=(1,), width=4, num_classes=CLASSES, preprocess=models.Preprocess(16)
  )
  models.save(models.ResNet(shape, rngs=nnx.Rngs(1)), folder, "a test")
  return str(folder)


@pytest.fixture(scope="module")
def listed(tmp_path_factory):
  """A file in which the digits are to become others, two classes on."""
  source = data.load("digits")
  file = tmp_path_factory.mktemp("files") / "listed.csv"
  lines = [f"{one},{(label + 2) % CLASSES}" for one, label in _labels(source)]
  file.write_text("\n".join(["example,target", *lines]))
  return str(file)


def _labels(source):
  return zip(source.ids, source.labels, strict=True)


def _settings(model, targets, attack=ATTACK, **changes):
  asked = config.Attacks(targeted=(attack,), targets=targets, epsilons=(EPSILON,))
  usual = {"limit": COUNT, "slots": 2, "gallery": 0, "attacks": asked, "data": ("digits",)}
  return config.checked(config.Config(models=(model,), **usual | changes))


@pytest.fixture(scope="module")
def run(base, listed, tmp_path_factory):
  settings = _settings(base, ("random", "next", "least_likely", listed))
  workdir = tmp_path_factory.mktemp("targeted") / "run"
  runner.run(settings, plan.make(settings), workdir, quiet=True)
  return settings, workdir


def _rows(workdir, name):
  rows = records.read(workdir).to_pylist()
  text = "clean" if name == "clean" else f"targeted({ATTACK}, {name})"
  return sorted(
    (row for row in rows if row["perturbation"] == text), key=lambda row: row["example"]
  )


def _images(names):
  source = data.load("digits")
  images, labels = data.load_images(
    source, [source.ids.index(name) for name in names], models.Preprocess(16)
  )
  return images.astype(np.float32) / 255, labels.astype(np.int32)


def test_targets_are_by_their_rules(run, base):
  _, workdir = run
  names = [row["example"] for row in _rows(workdir, "next")]
  images, labels = _images(names)
  logits = np.array(jax.jit(lambda model, images: model(images))(models.load(base), images))
  found = {
    name: np.array([row["target"] for row in _rows(workdir, name)])
    for name in ("random", "next", "least_likely", "listed.csv")
  }
  np.testing.assert_array_equal(found["next"], (labels + 1) % CLASSES)
  np.testing.assert_array_equal(found["listed.csv"], (labels + 2) % CLASSES)
  logits[np.arange(COUNT), labels] = np.inf
  np.testing.assert_array_equal(found["least_likely"], logits.argmin(axis=1))
  assert (found["random"] != labels).all()
  assert len(set((found["random"] - labels) % CLASSES)) > 5


def test_rows_are_what_the_engine_says_of_the_same_targets(run, base):
  _, workdir = run
  for name in ("next", "random"):
    rows = _rows(workdir, name)
    images, labels = _images([row["example"] for row in rows])
    targets = np.array([row["target"] for row in rows])
    attack, model = attacks.bim(steps=3), models.load(base)
    alone = attacks.run(attack, model, images, labels, EPSILON, 0, slots=2, targets=targets)
    for column in ("success", "prediction", "steps", "backwards"):
      np.testing.assert_array_equal([row[column] for row in rows], getattr(alone, column))
    for row in rows:
      assert row["success"] == (row["prediction"] == row["target"])
      assert (row["found_by"] is not None) == (row["success"] and row["steps"] > 0)


def test_figures_tell_targets_reached_and_labels_kept(run):
  _, workdir = run
  lines = metrics.summarize(records.read(workdir)).to_pylist()
  for line in lines:
    if line["perturbation"] == "clean":
      continue
    (name,) = (one for one in ("random", "next", "least", "listed") if one in line["perturbation"])
    name = {"least": "least_likely", "listed": "listed.csv"}.get(name, name)
    rows = _rows(workdir, name)
    reached = np.mean([row["success"] for row in rows])
    right = np.mean([row["prediction"] == row["label"] for row in rows])
    assert line["followed"] == pytest.approx(reached)
    assert line["followed_low"] <= reached <= line["followed_high"]
    assert line["accuracy"] == pytest.approx(right)
  assert any(line["followed"] for line in lines)
  report.write([str(workdir)], workdir.parent / "report.html")
  page = (workdir.parent / "report.html").read_text()
  assert "Targeted attacks on digits" in page
  assert f"Targeted success of targeted({ATTACK}, least_likely)" in page


def test_a_target_is_the_same_in_other_blocks_attacks_and_epsilons(run, base, tmp_path):
  _, workdir = run
  again = _settings(base, ("random",), block=16, limit=COUNT, seed=0)
  runner.run(again, plan.make(again), tmp_path / "again", quiet=True)
  assert _rows(tmp_path / "again", "random") == _rows(workdir, "random")
  other = _settings(base, ("random",), attack="fgsm")
  runner.run(other, plan.make(other), tmp_path / "other", quiet=True)
  targets = [row["target"] for row in _rows(workdir, "random")]
  rows = sorted(records.read(tmp_path / "other").to_pylist(), key=lambda row: row["example"])
  assert [row["target"] for row in rows if row["target"] is not None] == targets


def test_a_file_is_known_by_what_it_holds_wherever_it_lies(base, listed, tmp_path):
  def fingerprints(path):
    made = plan.make(_settings(base, (str(path),)))
    return [cell.fingerprint for cell in made.cells if cell.perturbation.kind == "targeted"]

  moved = tmp_path / "listed.csv"
  content = pathlib.Path(listed).read_text()
  moved.write_text(content)
  assert fingerprints(moved) == fingerprints(listed)
  moved.write_text(content.replace(",9", ",8").replace(",8", ",7", 1))
  assert fingerprints(moved) != fingerprints(listed)


def test_a_file_may_be_of_arrays_and_tell_places(tmp_path):
  source = data.load("digits")
  places = np.arange(len(source.ids))
  targets = (np.array(source.labels) + 3) % CLASSES
  np.savez(tmp_path / "t.npz", example=places, target=targets)
  aim = aims.find(str(tmp_path / "t.npz"))
  aim.check(source, [5, 7])
  labels = np.array([source.labels[5], source.labels[7]], np.int32)
  words, ids = np.zeros((2, 2), np.uint32), [source.ids[5], source.ids[7]]
  chosen = aim.choose(ids, [5, 7], labels, CLASSES, words, lambda: None)
  np.testing.assert_array_equal(chosen, targets[[5, 7]])


@pytest.mark.parametrize(
  ("target", "said"),
  [
    (None, "listed.csv has no target for 1 of 24 examples; the first is "),
    ("label", "is its label"),
    ("10", "10, is not a class in 0..9"),
    ("x", "is not a list of targets"),
  ],
)
def test_targets_that_cannot_be_meant_are_one_line(base, listed, tmp_path, target, said):
  settings = _settings(base, (listed,))
  source = data.load("digits")
  first = data.sample(source, COUNT, "")[0]
  wanted = {one: str((label + 2) % CLASSES) for one, label in _labels(source)}
  wanted[source.ids[first]] = str(source.labels[first]) if target == "label" else target
  lines = [f"{one},{value}" for one, value in wanted.items() if value is not None]
  file = tmp_path / "listed.csv"
  file.write_text("\n".join(["example,target", *lines]))
  with pytest.raises(errors.InputError) as raised:
    plan.make(_settings(settings.models[0], (str(file),)))
  assert said in str(raised.value) and "\n" not in str(raised.value)


@pytest.mark.parametrize(
  ("attack", "targets", "said"),
  [
    ("autoattack", ("random",), "aims at classes of its own"),
    ("pgd(draws=4)", ("random",), "takes means over draws"),
    ("pgd", ("rondom",), "Did you mean 'random'?"),
    ("pgd", ("none.csv",), "none.csv: No such file"),
    ("pgd", (), "attacks.targets is empty"),
  ],
)
def test_what_cannot_be_aimed_is_one_line(base, attack, targets, said):
  with pytest.raises(errors.InputError) as raised:
    plan.make(_settings(base, targets, attack=attack))
  assert said in str(raised.value) and "\n" not in str(raised.value)


def test_randomised_models_have_no_targets(base):
  settings = _settings(f"{base}|hedge(steps=1)", ("random",))
  made = plan.make(settings)
  with pytest.raises(errors.InputError, match="for models that draw nothing"):
    suites.require(settings, made.cells, made.absent)


@pytest.mark.slow
def test_on_the_command_line(tmp_path):
  out, _ = command.run(
    *("--config=configs/quickstart.py", f"--workdir={tmp_path / 'run'}", "--config.limit=8"),
    *("--config.models=digits-resnet", "--config.corruptions.names=", "--config.typography="),
    *("--config.attacks.names=", "--config.attacks.smallest=", "--config.attacks.transfer="),
    *("--config.attacks.smallest_transfer=", "--config.attacks.targeted=pgd(steps=10)"),
    *("--config.attacks.targets=next,random", "--config.attacks.epsilons=32/255"),
  )
  assert "predictions of the class aimed at, percent" in out
  rows = [row for row in records.read(tmp_path / "run").to_pylist() if row["target"] is not None]
  assert {row["perturbation"] for row in rows} == {
    "targeted(pgd(steps=10), next)",
    "targeted(pgd(steps=10), random)",
  }
  assert sum(row["success"] for row in rows) > len(rows) / 2
