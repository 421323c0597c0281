"""A model within defences, in a run as any other: its name, its keys, its rows and its identity."""

import functools

import jax
import numpy as np
import pytest
from flax import nnx
from scipy import stats

from jaxbench import (
  config,
  data,
  defences,
  errors,
  metrics,
  model_names,
  models,
  plan,
  records,
  report,
)
from jaxbench.attacks.engine import evaluations
from jaxbench.evaluate import runner
from jaxbench.plan import cost, suites
from jaxbench.report import content

EPSILON = 16 / 255


@pytest.fixture(scope="module")
def base(tmp_path_factory):
  """An untrained network, which is quick to compile, and has few scans right."""
  folder = tmp_path_factory.mktemp("models") / "base"
  shape = models.ResNetConfig(
    depths=(1,), width=4, num_classes=10, preprocess=models.Preprocess(16)
  )
  models.save(models.ResNet(shape, rngs=nnx.Rngs(1)), folder, "a test")
  return str(folder)


def _settings(models_, **changes):
  attacks = config.Attacks(
    names=("pgd(steps=2, keep_going=True)",),
    transfer=("fgsm",),
    surrogates=(models_[0],),
    epsilons=(EPSILON,),
  )
  usual = {"limit": 24, "slots": 2, "gallery": 0, "attacks": attacks, "evaluations": 4}
  return config.checked(config.Config(models=models_, data=("digits",), **usual | changes))


@pytest.fixture(scope="module")
def run(base, tmp_path_factory):
  names = (base, f"{base}|transform(kind='bits', bits=3)", f"{base}|hedge(steps=1, radius=0.2)")
  settings = _settings(names)
  workdir = tmp_path_factory.mktemp("defended") / "run"
  runner.run(settings, plan.make(settings), workdir)
  return settings, workdir


def _rows(workdir):
  rows = records.read(workdir, columns=[n for n in records.SCHEMA.names if n != "picture"])
  return sorted(rows.to_pylist(), key=lambda row: (row["cell"], row["example"]))


def test_a_name_is_split_at_bars_and_a_file_of_that_name_is_a_model(tmp_path, monkeypatch):
  assert model_names.split_defences("digits-clip") == ("digits-clip", ())
  name = "base+tower.pt | ttc(steps=2)|tte"
  assert model_names.split_defences(name) == ("base+tower.pt", ("ttc(steps=2)", "tte"))
  assert model_names.is_tower("tower.pt|ttc(steps=2)") and not model_names.is_tower("clip|ttc")
  monkeypatch.chdir(tmp_path)
  (tmp_path / "odd|name").mkdir()
  assert model_names.split_defences("odd|name") == ("odd|name", ())


def test_rows_of_a_defended_model_are_what_the_defence_says(run, base):
  settings, workdir = run
  source, model = data.load("digits"), models.load(base)
  rows = [row for row in _rows(workdir) if row["perturbation"] == "clean"]
  names = [row["example"] for row in rows if row["model"] == base]
  loaded, labels = data.load_images(
    source, [source.ids.index(one) for one in names], models.Preprocess(16)
  )
  images = loaded.astype(np.float32) / 255
  for name, defended in (
    (settings.models[0], model),
    (settings.models[1], defences.transform(model, kind="bits", bits=3)),
  ):
    found = [row for row in rows if row["model"] == name]
    logits = jax.jit(lambda model, images: model(images))(defended, images)
    np.testing.assert_array_equal([row["prediction"] for row in found], logits.argmax(axis=1))
    assert all(row["right"] is None for row in found)
  random = evaluations.Repeated(defences.hedge(model, steps=1, radius=0.2), 4, settings.seed)
  hashes = np.array([data.hash_id(name) for name in names], np.uint32)
  answers = jax.jit(lambda model, *arrays: model.answers(*arrays))
  each = np.asarray(answers(random, images, hashes))
  found = [row for row in rows if row["model"] == settings.models[2]]
  shares = (each.argmax(axis=-1) == labels).mean(axis=0)
  np.testing.assert_allclose([row["right"] for row in found], shares, atol=0.26)
  assert np.mean([row["right"] for row in found] == shares) > 0.8


def test_attacks_see_the_defence_and_images_of_the_base_are_judged_by_it(run):
  settings, workdir = run
  rows = _rows(workdir)
  kinds = {row["perturbation"] for row in rows}
  assert kinds == {
    "clean",
    "pgd(steps=2, keep_going=True)",
    f"transfer(fgsm, {settings.models[0]})",
  }
  for row in rows:
    assert (row["right"] is not None) == (row["model"] == settings.models[2])
    if row["perturbation"] != "clean":
      assert row["success"] == (row["prediction"] != row["label"])
    if row["right"] is not None and row["right"] != 0.5:
      assert (row["right"] > 0.5) <= (row["prediction"] == row["label"])


def test_the_first_screen_has_the_worst_of_all_attackers(run):
  """Those on a model itself would tell too little of it, or of its base."""
  settings, workdir = run
  rows = records.read_finished(workdir)
  known = metrics.summarize_defended(rows, records.load_run(workdir)["cells"])
  expected = {row.base: row.base_worst for row in known} | {row.model: row.worst for row in known}
  first = content.load(workdir).first
  (place,) = (i for i, column in enumerate(first.columns) if column.key == "attacked")
  found = {line.classifier.key[0]: line.values[place].value for line in first.lines}
  assert found == {model: pytest.approx(share) for model, share in expected.items()}
  assert set(found) == set(settings.models)


def test_rows_are_the_same_in_other_batches_and_orders(run, tmp_path):
  settings, workdir = run
  again = _settings(settings.models, block=16)
  runner.run(again, plan.make(again), tmp_path / "again")
  assert _rows(tmp_path / "again") == _rows(workdir)


def test_a_defence_is_part_of_the_fingerprint_and_of_the_identity(run, base):
  settings, workdir = run
  told = records.load_run(workdir)["identity"]["models"]
  assert "defences" not in told[base]
  assert told[settings.models[2]]["defences"][0].startswith("hedge(steps=1, step=0.0156")

  def fingerprints(name, **changes):
    made = plan.make(_settings((base, name), **changes))
    return [cell.fingerprint for cell in made.cells if cell.model == name]

  hedge = f"{base}|hedge(steps=1)"
  seen = {
    tuple(fingerprints(name, **changes))
    for name, changes in (
      (hedge, {}),
      (f"{base}|hedge(steps=2)", {}),
      (f"{base}|tte", {}),
      (hedge, {"evaluations": 5}),
    )
  }
  assert len(seen) == 4
  # What draws nothing is evaluated once.
  tte = f"{base}|tte"
  assert fingerprints(tte) == fingerprints(tte, evaluations=5)
  assert fingerprints(tte) == fingerprints(f"{base}|tte(crops=4)")


def test_several_draws_are_for_models_that_draw(base):
  asked = config.Attacks(names=("apgd(steps=2, draws=2)",), epsilons=(EPSILON,))
  made = plan.make(_settings((base, f"{base}|hedge(steps=1)"), attacks=asked))
  attacked = [cell.model for cell in made.cells if cell.perturbation.kind != "clean"]
  assert attacked == [f"{base}|hedge(steps=1)"]
  (absent,) = made.absent
  assert "its several draws are for randomised models" in absent.reason
  only = _settings((base,), attacks=asked)
  made = plan.make(only)
  with pytest.raises(errors.InputError, match="draws are for randomised models"):
    suites.require(only, made.cells, made.absent)


@pytest.mark.slow
def test_an_attack_through_a_defence_may_begin_at_images_of_the_base(base, tmp_path):
  hedge = f"{base}|hedge(steps=1, radius=0.2)"
  begun, fresh = f"{base}>{hedge}", hedge
  asked = config.Attacks(
    transfer=("bim(steps=2, draws=2)",), surrogates=(begun, fresh), epsilons=(EPSILON,)
  )
  settings = _settings((hedge,), attacks=asked, evaluations=2)
  made = plan.make(settings)
  by_name = {
    cell.perturbation.text: cell for cell in made.cells if cell.perturbation.kind != "clean"
  }
  first, second = (
    by_name[f"transfer(bim(steps=2, draws=2), {begun})"],
    by_name[f"transfer(bim(steps=2, draws=2), {fresh})"],
  )
  assert [member.model for member in first.perturbation.members] == [base, hedge]
  assert first.fingerprint != second.fingerprint
  assert first.perturbation.knowledge != second.perturbation.knowledge
  runner.run(settings, made, tmp_path / "run")
  rows = [row for row in _rows(tmp_path / "run") if row["perturbation"] != "clean"]
  costs = {row["perturbation"]: (row["steps"], row["backwards"]) for row in rows}
  assert costs[first.perturbation.text] == (4, 2 + 2 * 2)
  assert costs[second.perturbation.text] == (2, 2 * 2)
  assert set(records.load_run(tmp_path / "run")["identity"]["models"]) == {base, hedge}


def test_certificates_are_rows_of_smoothed_models_alone(base, tmp_path):
  smoothed = f"{base}|smooth(sigma=0.1, samples=4)"
  asked = config.Attacks(smallest=("bim(steps=2, norm='l2', draws=2)",), epsilons=(2.0,))
  text = "certify(selection=10, samples=200)"
  settings = _settings((base, smoothed), attacks=asked, certificates=(text,), evaluations=2)
  made = plan.make(settings)
  certificates = [cell for cell in made.cells if cell.perturbation.kind == "certified"]
  assert [cell.model for cell in certificates] == [smoothed]
  assert any("put smooth(...) outermost" in absent.reason for absent in made.absent)
  assert next(certificates[0].perturbation.passes(smoothed))[:2] == (base, 210)
  runner.run(settings, made, tmp_path / "run")
  rows = [row for row in _rows(tmp_path / "run") if row["radius"] is not None]
  assert len(rows) == 24 and {row["perturbation"] for row in rows} == {text}
  most = 0.1 * stats.norm.ppf(0.001 ** (1 / 200))
  assert all((row["prediction"] == -1) == (row["radius"] == 0) for row in rows)
  assert 0 < max(row["radius"] for row in rows) <= most + 1e-6
  assert {row["forwards"] for row in rows} == {210}
  # What is certified is what more votes say, by other keys.
  source, defended = data.load("digits"), defences.smooth(models.load(base), sigma=0.1)
  ids = [source.ids.index(row["example"]) for row in rows]
  images, _ = data.load_images(source, ids, models.Preprocess(16))
  images = images.astype(np.float32) / 255
  said = defences.predict(defended, images, jax.random.key(9), samples=400)
  sure = np.array([row["radius"] > 0.02 for row in rows])
  np.testing.assert_array_equal(np.array([row["prediction"] for row in rows])[sure], said[sure])
  (found,) = metrics.summarize_certified(
    records.read(tmp_path / "run"), records.load_run(tmp_path / "run")["cells"]
  )
  assert found.attacked is not None and found.refuted == 0
  report.write([str(tmp_path / "run")], tmp_path / "report.html")
  assert "Certified radii</h4>" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize(
  ("name", "said"),
  [
    ("digits-resnet|tt", "unknown defence 'tt'"),
    ("digits-resnet|ttc", "ttc works on the features of an image encoder"),
    ("digits-resnet|tpt", "tpt works on the features of an image encoder"),
    ("digits-clip|ttc(steps=-1)", "ttc: steps=-1 must be at least 0"),
  ],
)
def test_a_defence_that_cannot_be_is_one_line_before_anything_is_loaded(name, said):
  with pytest.raises(errors.InputError) as raised:
    made = plan.make(_settings((name,)))
    suites.require(_settings((name,)), made.cells, made.absent)
  assert said in str(raised.value)


def test_a_plan_counts_the_passes_of_a_defended_prediction():
  passes = functools.partial(cost.forward_flops)
  assert passes("digits-resnet|hedge(steps=2)") == (3 + 2 * 2) * passes("digits-resnet")


def test_a_randomised_classifier_is_what_most_evaluations_say():
  logits = np.zeros((3, 2, 4), np.float32)
  logits[[0, 1, 2], 0, [1, 1, 2]] = (1, 1, 9)  # Two votes of three.
  logits[:, 1, 3] = np.nan
  answers = evaluations.counted(logits)
  np.testing.assert_array_equal(answers.votes[0], [1, 1, 2])
  np.testing.assert_array_equal(answers.scores[0].argsort()[::-1][:2], [1, 2])
  np.testing.assert_array_equal(answers.finite, [True, False])
