"""The search for prompts on scans of digits, from its settings to files that a run can use."""

import dataclasses
import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from etils import epath
from flax import nnx
from PIL import Image
from references import command

from jaxbench import config, corruptions, data, devices, errors, models, plan
from jaxbench.plan.perturbations import Corruption
from jaxbench.prompt_search import features, search

ROOT = pathlib.Path(__file__).parents[2]
_WRITTEN = ("start", "tokens")
SMALL = config.PromptSearch(limit=60, candidates=4, iterations=2, soft_steps=0)


def _run(settings, folder):
  search.run(config.checked_search(settings), epath.Path(folder))
  return json.loads((folder / "tokens.json").read_text())


class _Weak(data.Digits):
  """A model that was taught "three" does not know what to make of "three two"."""

  class_names = tuple(f"{name} two" for name in data.Digits.class_names)


@pytest.fixture
def weak_names(monkeypatch):
  monkeypatch.setitem(data.DATA_SETS, "digits", _Weak)
  monkeypatch.setitem(data.DATA_SETS, "digits-train", lambda: _Weak("train"))


@pytest.mark.slow
def test_a_search_from_a_neutral_start_helps_weak_prompts_on_held_out_scans(
  weak_names, clip, scans, tmp_path
):
  images, labels = scans
  encoded = np.asarray(jax.jit(lambda clip, images: clip.encode_image(images))(clip, images))

  def accuracy(templates):
    text = np.asarray(models.zero_shot(clip, _Weak.class_names, templates).text)
    return np.mean((encoded @ text).argmax(axis=1) == labels)

  settings = dataclasses.replace(SMALL, limit=0, candidates=40, iterations=8)
  found = _run(settings, tmp_path / "one")
  written = {name: models.templates(str(tmp_path / f"one/{name}.json")) for name in _WRITTEN}
  assert accuracy(written["start"]) == accuracy(["a photo of a {}"])
  plain = accuracy(["a photo of a {}."])
  assert 0.8 < plain < 0.93
  assert accuracy(written["tokens"]) > plain + 0.03
  losses = [found["start"]["loss"]] + [
    step["loss"] for step in found["iterations"] if step["accepted"]
  ]
  assert losses == sorted(losses, reverse=True)
  assert losses[-1] == found["prompts"][0]["loss"] < losses[0] / 2
  _run(settings, tmp_path / "two")
  one, two = ((tmp_path / name / "tokens.json").read_text() for name in ("one", "two"))
  assert one == two


@pytest.fixture(scope="module")
def run(tmp_path_factory):
  """Through the command line: its folder, and what it printed."""
  folder = tmp_path_factory.mktemp("auto") / "run"
  with jax.numpy_dtype_promotion("standard"):  # Adam of optax needs it.
    out, _ = command.call(
      *("jaxbench", "--config=configs/clip_auto.py", f"--workdir={folder}", "--config.limit=60"),
      *("--config.candidates=8", "--config.iterations=5"),
      *("--config.ensemble=2", "--config.soft_steps=3"),
    )
  return folder, out


def test_the_command_line_searches_and_evaluates(run):
  folder, out = run
  lines = [line.split() for line in out.splitlines() if "digits-clip" in line]
  accuracy = {pathlib.Path(line[2]).stem: float(line[3]) for line in lines}
  assert accuracy.keys() == {"simple", "start", "tokens", "soft"}
  assert accuracy["tokens"] > accuracy["start"] + 2
  written = json.loads((folder / "tokens.json").read_text())
  assert len(written["prompts"]) == 2
  assert len(written["iterations"]) == 5
  assert len(written["data"]["ids"]) == 60
  assert written["model"]["sha256"] == models.describe("digits-clip").sha256
  assert (folder / "held_out" / "report.html").exists()


def test_a_finished_search_is_not_made_again(run):
  folder, _ = run
  before = (folder / "tokens.json").read_bytes()
  fields = json.loads(before)["config"]
  settings = config.checked_search(config.PromptSearch(**fields))
  search.run(settings, epath.Path(folder))
  assert (folder / "tokens.json").read_bytes() == before
  with pytest.raises(errors.InputError, match="holds something else"):
    search.run(dataclasses.replace(settings, candidates=9), epath.Path(folder))


def test_prompts_answer_no_example_that_they_were_searched_on(run):
  file = str(run[0] / "tokens.json")
  settings = config.Config(models=("digits-clip",), data=("digits-train",), prompts=(file,))
  with pytest.raises(errors.InputError, match=r"searched on 60 of the 1437 examples of digits-tr"):
    plan.make(config.checked(settings))
  (cell,) = plan.make(config.checked(dataclasses.replace(settings, data=("digits",)))).cells
  assert cell.prompts == file


def test_features_are_of_clean_corrupted_and_attacked_images():
  tower = models.TowerConfig(16, 1, 2, 32, "quick_gelu")
  shape = models.CLIPConfig(8, tower, tower, patch_size=8, preprocess=models.Preprocess(16))
  clip, classes = models.CLIP(shape, rngs=nnx.Rngs(0)), data.Digits.class_names
  classifier = models.zero_shot(clip, classes, ["{}"])
  pixels = np.random.default_rng(0).integers(0, 256, (6, 16, 16, 3), np.uint8)
  images = pixels.astype(np.float32) / 255
  forward = jax.jit(lambda network, images: network(images))
  labels = np.asarray(forward(classifier, images)).argmax(axis=1)
  labels[0] = (labels[0] + 1) % 10
  source = data.Arrays(pixels, labels.tolist(), classes)
  names = {"corruptions": ("contrast",), "severities": (4,), "attacks": ("fgsm",)}
  asked = dataclasses.replace(SMALL, **names, epsilons=(32 / 255,), slots=5, seed=3)
  indices = [5, 3, 0, 1, 4, 2]
  found = features.embed(classifier, shape.preprocess, source, indices, asked)
  np.testing.assert_array_equal(found.labels, np.tile(labels[indices], 3))
  # As they are, and corrupted with the randomness that a run draws for them.
  stream = jnp.asarray(data.hash_id(Corruption.of("contrast", 4, config.Corruptions()).stream))
  hashes = jnp.asarray([data.hash_id(name) for name in source.ids])
  keys = devices.example_keys(3, stream, hashes)
  corrupt = jax.jit(jax.vmap(lambda key, image: corruptions.corrupt(key, image, "contrast", 4)))
  for rows, shown in ((slice(6), images), (slice(6, 12), corrupt(keys, images))):
    expected = np.array(forward(clip.visual, shown))[indices]
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(found.features[rows], expected, atol=1e-4)
  # Attacks leave alone what is wrong already.
  logits = np.split(found.features @ np.asarray(classifier.text), 3)
  own = [part[np.arange(6), found.labels[:6]] - np.median(part, axis=1) for part in logits]
  fell = own[0] - own[2]
  np.testing.assert_allclose(fell[indices.index(0)], 0, atol=1e-5)
  assert (np.delete(fell, indices.index(0)) > 1e-3).all()


def test_vectors_are_for_the_weights_that_they_were_learnt_for(tmp_path):
  file, sha256 = tmp_path / "soft.json", models.describe("digits-clip").sha256
  soft = {"prompts": [{"vectors": [[0.0] * 64]}], "model": {"sha256": sha256}}
  file.write_text(json.dumps(soft))
  both = ("digits-clip", "digits-clip-robust")
  settings = config.Config(models=both, data=("digits",), prompts=(str(file), "roz_auto"))
  made = plan.make(config.checked(settings))
  assert [cell.model for cell in made.cells] == ["digits-clip"]
  reasons = [absent.reason for absent in made.absent]
  assert "these vectors were learnt for other weights" in reasons
  assert sum("this is none of them" in reason for reason in reasons) == 2


BAD = {
  "held-out examples": ({"data": "digits"}, r"60 of the 60 examples to search on are in --config"),
  "no text tower": ({"model": "digits-resnet"}, "digits-resnet is a supervised model"),
  "a word the table lacks": ({"start": "giraffe"}, "lacks one of the prompts"),
  "no start": ({"start": " "}, "--config.start is empty"),
  "longer than the context": ({"start": "a " * 75}, "this model reads 77"),
  "a corruption": ({"corruptions": ("jpg",)}, "unknown corruption 'jpg'"),
  "an attack": ({"attacks": ("pdg",)}, "Did you mean 'pgd'"),
  "a severity": ({"severities": (6,)}, "severities go from 1 to 5"),
  "an epsilon": ({"epsilons": (4.0,)}, r"in \[0, 1\] pixel units"),
  "a count": ({"candidates": 0}, "--config.candidates=0 must be a whole number >= 1"),
  "a prompt set": ({"prompts": ("openai_8",)}, "Did you mean 'openai_80'"),
  "too few images": ({"subset": "balanced(each=500)"}, "has only"),
}


@pytest.mark.parametrize(("changes", "message"), BAD.values(), ids=BAD)
def test_bad_input_is_refused_before_anything_is_written(changes, message, tmp_path):
  with pytest.raises(errors.InputError, match=message):
    _run(dataclasses.replace(SMALL, **changes), tmp_path / "run")
  assert not (tmp_path / "run").exists()


def test_no_images_are_refused(monkeypatch, tmp_path):
  empty = data.Digits("train")
  empty.ids = []
  monkeypatch.setitem(data.DATA_SETS, "digits-train", lambda: empty)
  with pytest.raises(errors.InputError, match="digits-train has no images"):
    _run(SMALL, tmp_path / "run")


def test_ones_own_images_of_imagenet_classes_are_searched_on(tmp_path):
  """As a folder of wnids, which prompts call by ImageNet's names."""
  for wnid in ("n01440764", "n02123045"):
    for number in range(2):
      file = tmp_path / "train" / wnid / f"{number}.png"
      file.parent.mkdir(parents=True, exist_ok=True)
      Image.fromarray(np.full((16, 16, 3), 50 * number, np.uint8)).save(file)
  settings = dataclasses.replace(SMALL, data=str(tmp_path / "train"), held_out="digits")
  source, indices = search._images(dataclasses.replace(settings, subset="balanced(each=1)"))
  assert len(indices) == 2
  assert source.label_space.prompted == ("tench", "tabby cat")
  with pytest.raises(errors.InputError, match="lacks one of class name 'tench'"):
    _run(settings, tmp_path / "run")


def test_a_folder_of_something_else_is_refused_and_an_interrupted_search_begins_again(tmp_path):
  (tmp_path / "soft.json").write_text("{")
  assert not search._finished(SMALL, epath.Path(tmp_path))
  (tmp_path / "precious").write_text("")
  with pytest.raises(errors.InputError, match="holds something else"):
    _run(SMALL, tmp_path)
  (tmp_path / "precious").unlink()
  (tmp_path / "tokens.json").write_text(json.dumps({"config": {"seed": 7}}))
  with pytest.raises(errors.InputError, match="holds something else"):
    _run(SMALL, tmp_path)
