"""Transfer in a run: every row against images made, resized and judged here."""

import dataclasses
import html
import io

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from PIL import Image

from jaxbench import attacks, config, data, models, plan, records, report
from jaxbench.attacks.engine import batching
from jaxbench.evaluate import provenance, runner

EPSILON = 8 / 255
# Two steps of four grey levels: pictures hold the very images.
ATTACK = "bim(steps=2, relative_step=1.0)"


def _save(folder, edit=lambda model: None):
  shape = models.ResNetConfig(
    depths=(1,), width=4, num_classes=10, preprocess=models.Preprocess(16)
  )
  model = models.ResNet(shape, rngs=nnx.Rngs(0))
  edit(model)
  models.save(model, folder, "a test")
  return str(folder)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
  """An untrained network for images of another size, which has nearly all of them wrong."""
  return _save(tmp_path_factory.mktemp("models") / "small")


@pytest.fixture(scope="module")
def settings(small):
  asked = config.Attacks(
    transfer=(ATTACK,),
    surrogates=(small, f"digits-clip+{small}"),
    epsilons=(EPSILON,),
  )
  return config.checked(
    config.Config(
      models=("digits-clip", small),
      data=("digits",),
      attacks=asked,
      limit=24,
      slots=2,
      gallery=24,
    )
  )


@pytest.fixture(scope="module")
def run(settings, tmp_path_factory):
  workdir = tmp_path_factory.mktemp("transfer") / "run"
  runner.run(settings, plan.make(settings), workdir)
  return workdir


@pytest.fixture(scope="module")
def rows(run):
  """Of the transfer attacks, with the images and the names of their surrogates."""
  surrogates = {cell["id"]: cell["surrogate"] for cell in records.load_run(run)["cells"]}
  found = [row for row in records.read(run).to_pylist() if surrogates[row["cell"]]]
  for row in found:
    pixels = np.asarray(Image.open(io.BytesIO(row["picture"])), np.float32)
    row |= {"image": pixels / 255, "surrogate": surrogates[row["cell"]]}
  return found


@pytest.fixture(scope="module")
def networks(small, classifier):
  return {
    "digits-clip": models.resized(classifier, 32),
    small: models.resized(models.load(small), 16),
  }


def _clean(rows, size):
  source = data.load("digits")
  indices = [source.ids.index(row["example"]) for row in rows]
  images, labels = data.load_images(source, indices, models.Preprocess(size))
  return images.astype(np.float32) / 255, labels


@jax.jit
def _forward(network, images):
  return network(images)


def _logits(network, images):
  return np.asarray(_forward(network, images))


def test_every_target_is_shown_the_same_images(rows):
  assert len(rows) == 2 * 2 * 24
  pictures = {}
  for row in rows:
    pictures.setdefault((row["surrogate"], row["example"]), []).append(row["picture"])
  assert all(len(found) == 2 and len(set(found)) == 1 for found in pictures.values())


@pytest.mark.slow
def test_targets_are_judged_by_a_forward_pass_on_the_images_at_their_own_size(rows, networks):
  for surrogate in {row["surrogate"] for row in rows}:
    for model in networks:
      own = [row for row in rows if (row["surrogate"], row["model"]) == (surrogate, model)]
      images = np.stack([row["image"] for row in own])
      clean, labels = _clean(own, images.shape[1])
      before = _logits(networks[model], clean).argmax(axis=1)
      after = _logits(networks[model], images).argmax(axis=1)
      sizes = np.abs(images - clean).max(axis=(1, 2, 3))
      np.testing.assert_array_equal([row["label"] for row in own], labels)
      np.testing.assert_array_equal([row["clean_prediction"] for row in own], before)
      np.testing.assert_array_equal([row["prediction"] for row in own], after)
      np.testing.assert_array_equal([row["success"] for row in own], after != labels)
      np.testing.assert_allclose([row["distance"] for row in own], sizes, atol=1e-6)


def test_images_are_those_of_the_attack_on_the_surrogate_alone(rows, networks, small):
  """An ensemble is taken at the size of its first member."""
  surrogates = {
    small: networks[small],
    f"digits-clip+{small}": attacks.ensemble([networks["digits-clip"], networks[small]]),
  }
  attack = attacks.bim(steps=2, relative_step=1.0, keep_going=True)
  for name, surrogate in surrogates.items():
    own = [row for row in rows if (row["surrogate"], row["model"]) == (name, small)]
    clean, labels = _clean(own, own[0]["image"].shape[0])
    found = attacks.run(attack, surrogate, clean, labels, EPSILON, jax.random.key(0), slots=3)
    right = found.steps > 0  # What is wrong when clean is left alone.
    assert right.any()
    images = np.stack([row["image"] for row in own])
    # A gradient of nearly zero may have either sign.
    assert (np.abs(images - found.adversarial)[right] < 1e-5).mean() > 0.999
    if name == small:  # The target is its own surrogate.
      np.testing.assert_array_equal([row["success"] for row in own], found.success)


def test_a_surrogate_that_is_wrong_makes_images_all_the_same(rows, networks, small):
  own = [row for row in rows if row["surrogate"] == small]
  clean, labels = _clean(own, 16)
  assert (_logits(networks[small], clean).argmax(axis=1) != labels).mean() > 0.5
  assert {row["image"].shape for row in own} == {(16, 16, 3)}
  assert {row["steps"] for row in own} == {2}
  assert min(row["distance"] for row in own) > 0


def test_passes_are_counted_on_all_members_and_the_target(rows, small):
  for row in rows:
    members = 2 if "+" in row["surrogate"] else 1
    assert (row["forwards"], row["backwards"]) == (1 + members * 3, members * 2)


def test_surrogates_are_described_even_if_they_are_no_targets(settings, small):
  alone = dataclasses.replace(settings, models=("digits-resnet",))
  described = provenance.describe_run(alone, plan.make(alone))["identity"]["models"]
  assert list(described) == ["digits-resnet", small, "digits-clip"]


def test_the_matrix_of_the_report_is_that_of_the_records(run, rows, tmp_path):
  report.write([run], tmp_path / "report.html")
  page = (tmp_path / "report.html").read_text()
  for cell in {row["cell"] for row in rows}:
    own = [row for row in rows if row["cell"] == cell]
    right = [row["success"] for row in own if row["clean_prediction"] == row["label"]]
    share = f"{100 * np.mean(right):.1f}"
    assert f'data-cell="{html.escape(cell)}" data-field="attack_success">{share}<small>' in page
    assert f">{share}</text>" in page  # Of the heat map.


def test_a_run_goes_on_with_the_images_that_some_target_lacks(
  run, settings, small, tmp_path, monkeypatch
):
  table, described = records.read(run), records.load_run(run)
  one, two = (cell["id"] for cell in described["cells"] if cell["surrogate"] == small)
  examples = sorted(set(table["example"].to_pylist()))
  lost = {one: examples[:3], two: examples[2:8]}
  keep = [row["example"] not in lost.get(row["cell"], ()) for row in table.to_pylist()]
  records.Store(tmp_path / "run", described).write("digits", 0, [table.filter(keep)])
  attack, made = batching.attack, []

  def watch(cascade, classifier, searcher, examples, *rest):
    made.append(len(examples.labels))
    return attack(cascade, classifier, searcher, examples, *rest)

  monkeypatch.setattr(batching, "attack", watch)
  runner.run(settings, plan.make(settings), tmp_path / "run")
  assert records.read(tmp_path / "run").equals(table)
  assert made == [8]


def test_a_surrogate_whose_logits_are_not_numbers_is_absent_with_the_reason(
  settings, small, tmp_path
):
  def spoil(model):
    model.fc.bias[...] = jnp.full(10, jnp.nan)

  broken = _save(tmp_path / "broken", spoil)
  asked = dataclasses.replace(settings.attacks, surrogates=(broken,))
  changed = dataclasses.replace(settings, models=(small,), attacks=asked)
  runner.run(changed, plan.make(changed), tmp_path / "run")
  assert set(records.read(tmp_path / "run")["perturbation"].to_pylist()) == {"clean"}
  (absent,) = records.load_run(tmp_path / "run")["absent"]
  assert absent["reason"].startswith("the logits of its surrogate are not finite on 16 of 16")


@pytest.mark.slow
def test_other_searches_and_attacks_make_images_too(settings, small, tmp_path):
  """Random, with restarts, in half precision and on images of 8 bits; whatever the targets."""
  asked = dataclasses.replace(
    settings.attacks,
    transfer=("pgd(steps=2, restarts=2)",),
    surrogates=(f"{small}+{small}",),
    search_dtype="bfloat16",
    quantize=True,
  )
  tables = []
  for targets in ((small,), ("digits-clip", small)):
    changed = dataclasses.replace(settings, models=targets, attacks=asked)
    workdir = tmp_path / str(len(targets))
    runner.run(changed, plan.make(changed), workdir)
    tables.append([row for row in records.read(workdir).to_pylist() if row["model"] == small])
  assert tables[0] == tables[1]
  own = [row for row in tables[0] if row["distance"] is not None]
  levels = np.array([row["distance"] * 255 for row in own])
  np.testing.assert_allclose(levels, levels.round(), atol=1e-3)
  assert {row["steps"] for row in own} <= {2, 4}


@pytest.mark.slow
def test_an_attacker_may_know_the_image_encoder_or_other_prompts_alone(settings, tmp_path):
  names = ("digits-clip-robust[embedding]", "digits-clip-robust[class_name]")
  asked = dataclasses.replace(settings.attacks, transfer=("pgd(steps=3)",), surrogates=names)
  changed = dataclasses.replace(settings, models=("digits-clip-robust",), attacks=asked)
  runner.run(changed, plan.make(changed), tmp_path / "run")
  assert not records.load_run(tmp_path / "run")["warnings"]
  clip, source = models.load("digits-clip-robust"), data.load("digits")
  target = models.zero_shot(clip, source.class_names, models.templates("simple"))
  rows = records.read(tmp_path / "run").to_pylist()
  moved = {}
  for name, costs in zip(names, ((1 + 1 + 6, 3), (1 + 1 + 3, 3)), strict=True):
    own = [row for row in rows if name in row["perturbation"]]
    assert {(row["forwards"], row["backwards"]) for row in own} == {costs}
    images = np.stack([np.asarray(Image.open(io.BytesIO(row["picture"]))) for row in own])
    images = images.astype(np.float32) / 255
    clean, labels = _clean(own, 32)
    # Pictures are rounded to 8 bits, so verdicts near the boundary may differ.
    judged = np.asarray(target(images)).argmax(axis=1) != labels
    assert (judged == [row["success"] for row in own]).mean() > 0.9
    away = clip.encode_image(jnp.asarray(images)) - clip.encode_image(jnp.asarray(clean))
    moved[name] = np.linalg.norm(away, axis=1).mean()
  assert moved[names[0]] > moved[names[1]]
  report.write([tmp_path / "run"], tmp_path / "report.html")
  page = (tmp_path / "report.html").read_text()
  assert '<td class="words">the image encoder of digits-clip-robust, no prompts</td>' in page
  assert '<td class="words">the weights of digits-clip-robust, prompts class_name</td>' in page


def test_smallest_epsilons_are_those_at_which_the_target_is_fooled(
  settings, small, networks, tmp_path
):
  """Where the target is its own surrogate, those of a notebook."""
  asked = config.Attacks(
    smallest_transfer=(ATTACK,),
    surrogates=("digits-clip", small),
    epsilons=(EPSILON, 2 * EPSILON),
    tolerance=1 / 255,
  )
  changed = dataclasses.replace(settings, models=("digits-clip",), attacks=asked)
  runner.run(changed, plan.make(changed), tmp_path / "run")
  cells = {cell["id"]: cell for cell in records.load_run(tmp_path / "run")["cells"]}
  rows = records.read(tmp_path / "run").to_pylist()
  own = [row for row in rows if cells[row["cell"]]["surrogate"] == "digits-clip"]
  clean, labels = _clean(own, 32)
  attack = attacks.bim(steps=2, relative_step=1.0, keep_going=True)
  expected = attacks.minimal_epsilon(
    attack,
    networks["digits-clip"],
    clean,
    labels,
    upper=2 * EPSILON,
    tolerance=1 / 255,
    key=jax.random.key(0),
    slots=3,
  )
  np.testing.assert_allclose([row["distance"] for row in own], expected.epsilon, atol=2e-3)
  assert np.isfinite(expected.epsilon).any()
  other = [row for row in rows if cells[row["cell"]]["surrogate"] == small]
  network = models.resized(networks["digits-clip"], 32)
  fooled = [row for row in other if np.isfinite(row["distance"]) and row["distance"] > 0]
  for row in fooled:
    image = np.asarray(Image.open(io.BytesIO(row["picture"])), np.float32) / 255
    prediction = np.asarray(network(image[None])).argmax()
    assert prediction == row["prediction"] != row["label"]
  for row in (*own, *other):
    cell = cells[row["cell"]]
    assert row["forwards"] <= cell["forwards"]
    assert row["backwards"] <= cell["backwards"]
    probes = row["steps"] // 2
    right = int(row["clean_prediction"] == row["label"])
    assert row["forwards"] == 1 + probes * (1 + 1 + 2)
    assert row["success"] == np.isfinite(row["distance"])
    assert (probes > 0) == right
  report.write([tmp_path / "run"], tmp_path / "report.html")
  page = html.unescape((tmp_path / "report.html").read_text())
  assert f"at which transfer({ATTACK}, {small}) fooled each example" in page
