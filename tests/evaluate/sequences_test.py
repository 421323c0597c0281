"""Sequences in a run: rows against frames and logits made outside of it, and the report's table."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxbench import (
  config,
  corruptions,
  data,
  devices,
  errors,
  metrics,
  models,
  plan,
  records,
  report,
)
from jaxbench.evaluate import runner

NAMES = ("gaussian_noise", "translate")
ROOMY = models.Preprocess(32, resize=40)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
  """The rows, the settings, and the folder of a run of one network, with and without a margin."""
  folder = tmp_path_factory.mktemp("frames")
  model, roomy = models.load("digits-resnet"), str(folder / "roomy")
  model.config = dataclasses.replace(model.config, preprocess=ROOMY)
  models.save(model, roomy, "a test")
  asked = config.Corruptions(sequences=NAMES, variant="cifar", difficulty=2, flip_reference=roomy)
  names = (roomy, "digits-resnet")
  settings = config.checked(
    config.Config(models=names, data=("digits",), corruptions=asked, limit=20, slots=1, block=12)
  )
  runner.run(settings, plan.make(settings), folder / "run")
  return records.read(folder / "run"), settings, folder


def _by_hand(model, name, example, seed):
  """Flips, top-5 distance, last prediction and number of frames of one example."""
  source, network = data.load("digits"), models.load(model)
  preprocess = network.preprocess
  if name == "translate" and preprocess == ROOMY:
    preprocess = models.Preprocess(40)
  images, _ = data.load_images(source, [source.ids.index(example)], preprocess)
  stream = data.hash_id(f"sequence({name}, variant='cifar', difficulty=2)")
  (key,) = devices.example_keys(seed, stream, np.array([data.hash_id(example)]))
  logits = _logits(name)(network, key, jnp.float32(images[0]) / 255)
  length = len(logits)
  pairs = (
    [(0, after) for after in range(1, length)]
    if "noise" in name
    else [(after - 2, after) for after in range(2, length)]
  )
  predictions = np.argmax(logits, axis=1)
  flips = np.mean([predictions[before] != predictions[after] for before, after in pairs])
  distances = [
    sum(
      abs(rank - min(5, int((logits[after] > logits[after][one]).sum())))
      for rank, one in enumerate(np.argsort(-logits[before])[:5])
    )
    for before, after in pairs
  ]
  return flips, np.mean(distances), predictions[-1], length


@functools.cache
def _logits(name):
  options = {"size": 32, "variant": "cifar", "difficulty": 2}

  def run(network, key, image):
    return network(corruptions.sequence(key, image, name, **options))

  program = jax.jit(run)
  return lambda *arguments: np.asarray(program(*arguments))


def test_rows_are_what_frames_and_logits_give_by_hand(run):
  rows, settings, _ = run
  rows = [row for row in rows.to_pylist() if row["flips"] is not None]
  assert len(rows) == 2 * 2 * 20
  for row in rows[::13]:
    name = metrics.sequence_name(row["perturbation"])
    flips, distance, last, length = _by_hand(row["model"], name, row["example"], settings.seed)
    assert row["flips"] == pytest.approx(flips, abs=1e-6)
    assert row["top5_distance"] == pytest.approx(distance, abs=0.02)  # Float rounding of near ties.
    assert row["prediction"] == last
    assert row["forwards"] == length
  assert 0 < np.mean([row["flips"] for row in rows]) < 1


def test_moving_images_keep_their_margin_and_their_clean_predictions(run):
  rows, settings, _ = run
  everything = plan.make(settings).cells
  cells = {cell.described["sequence"]: cell for cell in everything if cell.model != "digits-resnet"}
  assert (cells["translate"].preprocess.size, cells["translate"].size) == (40, 32)
  assert (cells["gaussian_noise"].preprocess.size, cells["gaussian_noise"].size) == (32, 32)
  seen = {}
  for row in rows.to_pylist():
    seen.setdefault((row["model"], row["example"]), set()).add(row["clean_prediction"])
  assert all(len(predictions) == 1 for predictions in seen.values())


def test_report_and_overview_show_flips_and_no_means_of_two(run):
  rows, settings, folder = run
  report.write([folder / "run"], folder / "report.html")
  page = (folder / "report.html").read_text()
  assert "means over all ten are absent: shot_noise" in page
  assert "mFR</th>" not in page
  for model in settings.models:
    changes = metrics.changes_by_sequence(rows, model, None, "digits")
    assert {name: own.shape for name, own in changes.items()} == dict.fromkeys(NAMES, (20, 2))
    for name, own in changes.items():
      assert f'data-field="{name}">{100 * own[:, 0].mean():.1f}<small>' in page
  summary = metrics.summarize(rows)
  table = metrics.overview(summary).split("\n\n")[-1]
  assert table.startswith("predictions that flip between frames, percent\n")
  line = table.splitlines()[2]
  own = metrics.changes_by_sequence(rows, settings.models[0], None, "digits")
  assert f"{100 * own['translate'][:, 0].mean():.1f}" in line


def test_what_cannot_be_asked_is_one_clear_line(tmp_path):
  def asked(**changes):
    base = {"models": ("digits-resnet",), "data": ("digits",)}
    return config.checked(config.Config(**base, corruptions=config.Corruptions(**changes)))

  with pytest.raises(errors.InputError, match="difficulty is 1, 2 or 3"):
    asked(sequences=("tilt",), difficulty=0)
  with pytest.raises(errors.InputError, match="Did you mean 'tilt'"):
    plan.make(asked(sequences=("tild",)))
  settings = asked(sequences=("tilt",), flip_reference="digits-resnet50")
  with pytest.raises(errors.InputError, match="flip_reference digits-resnet50"):
    runner.run(settings, plan.make(settings), tmp_path / "run")
