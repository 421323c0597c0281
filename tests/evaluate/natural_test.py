"""configs/natural.py on a miniature world, through the real command line.

What each classifier must score is computed beside, with NumPy, from the logits of the bare models.
"""

import pathlib
import re

import jax
import numpy as np
import pytest
from flax import nnx
from references import command, packing, world

from jaxbench import data, metrics, models, records

ROOT = pathlib.Path(__file__).parents[2]
PREPROCESS = models.Preprocess(32)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
  """Root of the sets and the models, and what the supervised one must score."""
  root = tmp_path_factory.mktemp("natural")
  shape = models.ResNetConfig(depths=(1,), width=8, num_classes=1000, preprocess=PREPROCESS)
  model = models.ResNet(shape, rngs=nnx.Rngs(0))
  forward = jax.jit(lambda model, images: model(images))

  def logits(images):
    images = images.astype(np.float32) / 255
    model.fc.bias[...] -= forward(model, images).mean(axis=0)  # No class wins everywhere.
    return forward(model, images)

  some = world.Photographs(logits, PREPROCESS)
  expected = world.write(root / "data", some)
  models.save(model, root / "resnet", "a test")
  tower = models.TowerConfig(16, 1, 2, 32, "quick_gelu")
  shape = models.CLIPConfig(16, tower, tower, patch_size=16, preprocess=PREPROCESS)
  models.save(models.CLIP(shape, rngs=nnx.Rngs(0)), root / "clip", "a test")
  return root, expected


def _run(root, place, workdir, *arguments):
  """Prints, and rows."""
  out, _ = command.call(
    *("jaxbench", "--config=configs/natural.py", f"--workdir={workdir}", "--config.slots=4"),
    *(f"--config.models={(str(root / 'resnet'), str(root / 'clip'))}", *arguments),
    *(f"--config.data_root={place}", "--config.prompts=class_name"),
  )
  return out, records.read(workdir)


@pytest.fixture(scope="module")
def run(made):
  root, _ = made
  found = _run(root, root / "data", root / "run", "--workers=0", f"--cache={root / 'decoded'}")
  assert any((root / "decoded").rglob("*.array_record"))
  return found


def _of(rows, **wanted):
  """The rows that have all of these values."""
  kept = [np.array(rows[name].to_pylist()) == value for name, value in wanted.items()]
  return rows.filter(np.all(kept, axis=0))


def test_every_set_scores_what_was_told_beforehand(made, run):
  _, expected = made
  rows = _of(run[1], prompts=None)
  found = {row["data"]: row for row in metrics.summarize(rows).to_pylist()}
  assert len(found) == 15
  for name, row in found.items():
    assert row["accuracy"] == pytest.approx(expected[name]), name
  for name, anchors in {"imagenet-vid-robust": 4, "ytbb-robust": 3}.items():
    assert found[name]["pm_accuracy"] == pytest.approx(expected[f"{name} pm"])
    assert found[name]["examples"] == anchors
  assert found["imagenet-r"]["pm_accuracy"] is None
  shapes = _of(rows, data="cue-conflict")
  columns = (shapes[name] for name in ("label", "target", "prediction"))
  assert metrics.shape_bias(*columns).value == pytest.approx(expected["shape bias"])


def test_the_zero_shot_model_answers_as_its_bare_towers_do(made, run):
  root, _ = made
  clip = models.load(str(root / "clip"))
  tokens = models.tokenize(models.imagenet_class_names())
  text = np.asarray(jax.jit(lambda clip, tokens: clip.encode_text(tokens))(clip, tokens))
  groups = {"imagenet-a": world.A, "imagenet-sketch": world.ALL}
  groups["objectnet"] = [row["imagenet_indices"] for row in world.OBJECTNET]
  loaded = {name: data.load(name, root / "data") for name in groups}
  images = {
    name: data.load_images(source, range(len(source)), PREPROCESS)[0]
    for name, source in loaded.items()
  }
  everything = np.concatenate(list(images.values())).astype(np.float32) / 255
  embedded = np.asarray(jax.jit(lambda clip, images: clip.encode_image(images))(clip, everything))
  cosines = iter(embedded @ (text / np.linalg.norm(text, axis=1, keepdims=True)).T)
  for name, source in loaded.items():
    found = _of(run[1], data=name, prompts="class_name").to_pylist()
    logits = [next(cosines) for _ in source.ids]
    best = [np.argmax([row[list(group)].max() for group in groups[name]]) for row in logits]
    predicted = {row["example"]: row["prediction"] for row in found}
    assert [predicted[name] for name in source.ids] == best
    assert len(set(best)) > 1


def test_effective_robustness_is_printed_for_every_shift(made, run):
  root, expected = made
  out, _ = run
  named, lines = ["imagenet-r", str(root / "resnet")], map(str.split, out.splitlines())
  values = [line[3:] for line in lines if line[:2] == named][-1]  # In the second of two tables.
  standard, accuracy, predicted, effective = map(float, values)
  assert standard == pytest.approx(100 * expected["imagenet-on-imagenet-r"], abs=0.05)
  assert accuracy == pytest.approx(100 * expected["imagenet-r"], abs=0.05)
  fitted = metrics.baseline("imagenet-r", standard / 100)
  assert predicted == pytest.approx(100 * fitted.expected(standard / 100), abs=0.1)
  assert effective == pytest.approx(accuracy - predicted, abs=0.1)
  assert {name for name in metrics.SHIFTS if f"{name} " in out} == set(metrics.SHIFTS) - {
    "digits-printed"
  }
  page = (root / "run/report.html").read_text()
  start = f'<tr><th scope="row">imagenet-r</th><td class="words">{root / "resnet"}</td>'
  (line,) = [line for line in page.splitlines() if line.startswith(start)]
  counted = {row["data"]: row["examples"] for row in metrics.summarize(run[1]).to_pylist()}
  assert f"imagenet-r: examples: {counted['imagenet-r']} instead of all 30,000</td>" in line
  (told,) = [line for line in out.splitlines() if line.startswith("not as the published models")]
  assert f"imagenet-r: examples: {counted['imagenet-r']} instead of all 30,000; " in told
  assert re.findall(r"<td>(-?[\d.]+)</td>", line) == values


def test_ranks_agree_with_predictions_and_give_the_top_5(run):
  _, rows = run
  rank, label, prediction = (rows[name].to_numpy() for name in ("rank", "label", "prediction"))
  np.testing.assert_array_equal(rank == 0, label == prediction)
  for row in metrics.summarize(rows).to_pylist():
    own = rows.filter(np.array(rows["cell"].to_pylist()) == row["cell"]).to_pylist()
    shown = [one["rank"] < 5 for one in own if not one["offset"]]
    assert row["top_5_accuracy"] == pytest.approx(np.mean(shown))


def test_sets_that_are_not_whole_are_warned_of(made, run):
  root, _ = made
  warnings = {one["what"]: one["detail"] for one in records.load_run(root / "run")["warnings"]}
  assert len(warnings) == 15
  assert warnings["imagenet-a"].endswith("images of the 7,500 that were published")
  assert "images of the 7,500" in (root / "run/report.html").read_text()


@pytest.mark.slow
@pytest.mark.parametrize(("form", "workers"), [("tar", 1), ("parquet", 2)])
def test_rows_do_not_depend_on_workers_or_packing(made, run, tmp_path, form, workers):
  root, _ = made
  folder, packed = root / "data/imagenet-a", tmp_path / f"imagenet-a.{form}"
  if form == "tar":
    packing.tar(folder, packed, "imagenet-a/")
  else:
    wnids = tuple(world.WNIDS[label] for (label,) in world.A)
    (packing.parquet(folder, tmp_path / "hub", wnids) / "data").rename(packed)
  arguments = (f"--workers={workers}", "--config.data=imagenet-a")
  _, rows = _run(root, tmp_path, tmp_path / "run", *arguments)  # And without a cache.
  assert rows.to_pylist() == _of(run[1], data="imagenet-a").to_pylist()
