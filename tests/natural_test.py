"""configs/natural.py on a miniature world, through the real command line.

What each classifier must score is computed beside, with NumPy, from the logits of the bare models.
"""

import os
import pathlib
import re
import subprocess
import sys

import jax
import numpy as np
import pytest
from flax import nnx
from references import packing, world

from jaxbench import metrics, models, records

ROOT = pathlib.Path(__file__).parents[1]
PREPROCESS = models.Preprocess(32)


def _diverse(model, images):
  """Moves the biases so that no class wins everywhere."""
  model.fc.bias[...] = -np.asarray(model(images)).mean(axis=0)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
  """Root of the sets, folder of a supervised model, and what it must score."""
  root = tmp_path_factory.mktemp("natural")
  shape = models.ResNetConfig(depths=(1,), width=8, num_classes=1000, preprocess=PREPROCESS)
  model = models.ResNet(shape, rngs=nnx.Rngs(0))
  forward = jax.jit(lambda model, images: model(images))

  def logits(images):
    images = images.astype(np.float32) / 255
    _diverse(model, images)
    return forward(model, images)

  some = world.Photographs(logits, PREPROCESS)
  expected = world.write(root / "data", some)
  models.save(model, root / "resnet", "a test")
  return root, expected


def _run(root, place, workdir, *arguments):
  environment = {k: v for k, v in os.environ.items() if not k.startswith("JAX_NUMPY")}
  environment |= {"XLA_FLAGS": "", "XDG_CACHE_HOME": str(root / "cache")}
  done = subprocess.run(
    [
      *(sys.executable, "-m", "jaxbench", "--config=configs/natural.py", f"--workdir={workdir}"),
      *(f"--config.models={root / 'resnet'}", f"--config.data_root={place}"),
      *("--config.slots=16", *arguments),
    ],
    cwd=ROOT,
    env=environment,
    capture_output=True,
    text=True,
  )
  assert done.returncode == 0, done.stderr
  return done.stdout, records.read(workdir)


@pytest.fixture(scope="module")
def run(made):
  root, _ = made
  return _run(root, root / "data", root / "run", "--workers=0")


def test_every_set_scores_what_was_told_beforehand(made, run):
  _, expected = made
  _, rows = run
  found = {row["data"]: row for row in metrics.summarize(rows).to_pylist()}
  assert len(found) == 15
  for name, row in found.items():
    assert row["accuracy"] == pytest.approx(expected[name]), name
  for name, anchors in {"imagenet-vid-robust": 4, "ytbb-robust": 3}.items():
    assert found[name]["pm_accuracy"] == pytest.approx(expected[f"{name} pm"])
    assert found[name]["examples"] == anchors
  assert found["imagenet-r"]["pm_accuracy"] is None
  shapes = rows.filter(np.array(rows["data"].to_pylist()) == "cue-conflict")
  columns = (shapes[name] for name in ("label", "target", "prediction"))
  assert metrics.shape_bias(*columns).value == pytest.approx(expected["shape bias"])


def test_effective_robustness_is_printed_for_every_shift(made, run):
  root, expected = made
  out, _ = run
  line = [line for line in out.splitlines() if "imagenet-r " in line][-1]
  shift, model, _, *values = line.split()
  standard, accuracy, predicted, effective = map(float, values)
  assert (shift, model) == ("imagenet-r", str(root / "resnet"))
  assert standard == pytest.approx(100 * expected["imagenet-on-imagenet-r"], abs=0.05)
  assert accuracy == pytest.approx(100 * expected["imagenet-r"], abs=0.05)
  fitted = metrics.baseline("imagenet-r", standard / 100)
  assert predicted == pytest.approx(100 * fitted.expected(standard / 100), abs=0.1)
  assert effective == pytest.approx(accuracy - predicted, abs=0.1)
  assert {name for name in metrics.SHIFTS if f"{name} " in out} == set(metrics.SHIFTS)
  page = (root / "run/report.html").read_text()
  (line,) = [line for line in page.splitlines() if line.startswith("<tr><td>imagenet-r</td>")]
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


def test_rows_do_not_depend_on_workers_or_packing(made, run, tmp_path):
  root, _ = made
  _, expected = run
  packing.tar(root / "data/imagenet-a", tmp_path / "imagenet-a.tar", "imagenet-a/")
  _, rows = _run(root, tmp_path, tmp_path / "run", "--workers=2", "--config.data=imagenet-a")
  assert rows.to_pylist() == [r for r in expected.to_pylist() if r["data"] == "imagenet-a"]
