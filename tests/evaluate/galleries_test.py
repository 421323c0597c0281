"""Runs in which all of one side of a retrieval set, or of both, is attacked, and then ranked."""

import dataclasses
import itertools
import random
import runpy
import signal
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from references import captioned, checkpoints, command

from jaxbench import config, data, errors, metrics, models, plan, records, report, retrieval
from jaxbench.evaluate import galleries, runner

WORDS = ("a red bus", "two dogs on grass", "an old man", "the sea at night")
CAPTIONS = {
  f"{number}.jpg": [f"{WORDS[number % 4]} {place}, {number}" for place in range(1 + number % 2)]
  for number in range(6)
}
EPSILON = 16 / 255


def _settings(name, model, **changes):
  asked = config.Config(
    models=(model,),
    data=(name,),
    attacks=config.Attacks(surrogates=(model, f"{model}[tokens]"), epsilons=(0.0, EPSILON)),
    joint=config.Joint(
      names=("sga(scales=(0.5,), steps=2)", "co_attack(steps=2)"),
      texts="leaf(rho=3, alphabet='xyz')",
    ),
    slots=2,
    block=4,
  )
  return config.checked(dataclasses.replace(asked, **changes))


@pytest.fixture(scope="module")
def finished(model, tmp_path_factory):
  patch = pytest.MonkeyPatch()
  root = tmp_path_factory.mktemp("root")
  patch.setenv("XDG_CACHE_HOME", str(root / "xdg"))
  name = str(captioned.shards(root / "wds_flickr30k", CAPTIONS))
  both = _settings(name, model)
  settings = _settings(
    name,
    model,
    attacks=dataclasses.replace(both.attacks, transfer=("fgsm", "pgd(steps=2)")),
    text_attacks=config.TextAttacks(names=("leaf(rho=3, alphabet='xyz')",)),
  )
  made = plan.make(settings)
  runner.run(settings, made, root / "run", quiet=True)
  patch.undo()
  rows = records.read(root / "run").to_pylist()
  return name, made, rows, root / "run"


def _of(rows, direction, kind, epsilon=None):
  rows = [row for row in rows if (row["direction"], row["epsilon"]) == (direction, epsilon)]
  return [row for row in rows if row["perturbation"].startswith(kind)]


def _unit(features):
  features = np.asarray(features)
  return features / np.linalg.norm(features, axis=1, keepdims=True)


def _matches(rows, ids, expected, protocol="gallery"):
  for row in rows:
    at = ids.index(row["example"])
    assert row["rank"] == expected.rank[at]
    assert row["prediction"] == expected.prediction[at]
    assert row["success"] == (row["prediction"] != row["label"])
    assert row["protocol"] == protocol


def test_captions_look_among_all_attacked_images(finished, model):
  name, made, rows, _ = finished
  pairs, clip = data.load(name).pairs, models.load(model)
  stored = [pairs.source[row].image for row in range(len(pairs.source))]
  images = np.stack([clip.preprocess(image) for image in stored]).astype(np.float32) / 255
  texts = models.gallery(clip, pairs.captions)
  captions = models.zero_shot(clip, pairs.captions, ["{}"])
  classifier = models.pooled(captions, pairs.space.prompted_groups, "max")
  labels = np.arange(len(images))

  def loss(images):  # Also of those that find nothing as they are.
    chances = jax.nn.log_softmax(classifier(images))
    return -jnp.take_along_axis(chances, jnp.asarray(labels)[:, None], axis=1).sum()

  moved = np.clip(images + EPSILON * np.sign(jax.jit(jax.grad(loss))(images)), 0, 1)
  unit = _unit(clip.encode_image(moved))
  expected = retrieval.ranks(np.asarray(texts), pairs.owners, unit, labels)
  found = _of(rows, "text_to_image", "transfer(fgsm", EPSILON)
  assert len(found) == len(pairs.captions)
  _matches(found, pairs.caption_ids, expected)
  clean = {row["example"]: row["rank"] for row in _of(rows, "text_to_image", "clean")}
  assert any(row["rank"] != clean[row["example"]] for row in found)
  still = _of(rows, "text_to_image", "transfer(fgsm", 0.0)
  assert {row["example"]: row["rank"] for row in still} == clean
  cell = next(each for each in made.cells if each.perturbation.kind == "transfer")
  assert cell.examples == len(images)


def test_images_look_among_all_attacked_captions(finished, model):
  name, _, rows, _ = finished
  pairs, clip = data.load(name).pairs, models.load(model)
  became = {row["example"]: row["text"] for row in _of(rows, "text_to_image", "leaf")}
  assert any(text not in pairs.captions for text in became.values())
  texts = _unit(models.gallery(clip, [became[each] for each in pairs.caption_ids]))
  stored = [pairs.source[row].image for row in range(len(pairs.source))]
  images = np.stack([clip.preprocess(image) for image in stored]).astype(np.float32) / 255
  labels = np.arange(len(images))
  expected = retrieval.ranks(_unit(clip.encode_image(images)), labels, texts, pairs.owners)
  found = _of(rows, "image_to_text", "leaf")
  assert len(found) == len(images)
  _matches(found, list(pairs.source.ids), expected)


def test_tokens_move_as_veattack_moves_them(finished, model, network):
  """The loss by transformers, of two images of the set."""
  name, _, rows, _ = finished
  pairs, clip = data.load(name).pairs, models.load(model)
  images = np.stack([clip.preprocess(pairs.source[row].image) for row in (0, 1)])
  images = images.astype(np.float32) / 255
  one, other = np.asarray(models.patch_tokens(clip.visual)(images))
  processor = checkpoints.CLIP_PROCESSOR
  mean, std = (np.array(processor[key], np.float32) for key in ("image_mean", "image_std"))
  with torch.no_grad():
    pixels = torch.tensor((images - mean) / std).permute(0, 3, 1, 2)
    tokens = network.vision_model(pixel_values=pixels).last_hidden_state[:, 1:]
  cosines = torch.nn.functional.cosine_similarity(*tokens, dim=-1)
  np.testing.assert_allclose(((one - other) ** 2).sum(), (1 - cosines).mean(), rtol=1e-4)
  moved = [row for row in rows if "[tokens]" in row["perturbation"] and row["epsilon"]]
  assert {row["direction"] for row in moved} == {"image_to_text", "text_to_image"}
  assert any(row["success"] for row in moved)


@pytest.mark.parametrize("name", ["sga", "co_attack"])
def test_both_sides_are_ranked_as_what_they_became(finished, model, name):
  """At epsilon 0 images stay, and ranks are those among the captions that rows tell of."""
  data_name, _, rows, _ = finished
  pairs, clip = data.load(data_name).pairs, models.load(model)
  stored = [pairs.source[row].image for row in range(len(pairs.source))]
  images = np.stack([clip.preprocess(image) for image in stored]).astype(np.float32) / 255
  images, labels = _unit(clip.encode_image(images)), np.arange(len(stored))
  captions = _of(rows, "text_to_image", f"joint({name}", 0.0)
  became = {row["example"]: row["text"] for row in captions}
  assert any(text not in pairs.captions for text in became.values())
  assert all(row["edits"] <= 1 and row["candidates"] for row in captions)
  texts = _unit(models.gallery(clip, [became[each] for each in pairs.caption_ids]))
  found = retrieval.ranks(texts, pairs.owners, images, labels)
  _matches(captions, pairs.caption_ids, found, "both")
  still = _of(rows, "image_to_text", f"joint({name}", 0.0)
  found = retrieval.ranks(images, labels, texts, pairs.owners)
  _matches(still, list(pairs.source.ids), found, "both")
  # Co-Attack's captions know of no images; SGA's are attacked again, against those of the epsilon.
  moved = _of(rows, "image_to_text", f"joint({name}", EPSILON)
  again = {row["example"]: row["text"] for row in _of(rows, "text_to_image", "joint(co", EPSILON)}
  assert (again == became) == (name == "co_attack")
  ranks = {row["example"]: row["rank"] for row in still}
  assert any(row["rank"] != ranks[row["example"]] for row in moved)


class _KilledError(Exception):
  pass


def test_killed_again_and_again_it_ends_with_the_same_rows(finished, model, monkeypatch, tmp_path):
  """Attacks on both sides, after some more pieces of their galleries each time."""
  name, _, rows, _ = finished
  settings, pieces = _settings(name, model), itertools.count(1)
  keep, deaths = galleries._keep, 0

  def kept(file, piece):
    if next(pieces) % 9 == 0:
      raise _KilledError
    keep(file, piece)

  monkeypatch.setattr(galleries, "_keep", kept)
  while True:
    try:
      runner.run(settings, made := plan.make(settings), tmp_path / "run", quiet=True)
      break
    except _KilledError:
      deaths += 1
  assert deaths > 3
  cells = {cell.id for cell in made.cells}
  expected = [row for row in rows if row["cell"] in cells]
  assert records.read(tmp_path / "run").to_pylist() == expected


def _files(workdir):
  """How many pieces of galleries and parts of records there are."""
  return command.parts(workdir) + len(list(workdir.glob("galleries/*/*.npy")))


@pytest.mark.slow
def test_processes_that_are_killed_leave_the_same_rows(model, tmp_path):
  """The command line, at moments that nobody chose: between its files or in the midst of one."""
  captioned.shards(tmp_path / "wds_flickr30k", CAPTIONS)
  asked = ["--config=configs/joint.py:tiny", f"--config.models={model}"]
  asked += [f"--config.data_root={tmp_path}", "--config.limit=6"]
  asked += ["--config.block=4", "--config.slots=2"]
  command.run(*asked, f"--workdir={tmp_path / 'whole'}")
  draw, workdir, deaths = random.Random(time.time_ns()), tmp_path / "run", 0
  while True:
    enough = _files(workdir) + draw.randint(5, 15)
    process = command.start(*asked, f"--workdir={workdir}")
    while process.poll() is None and _files(workdir) < enough:
      time.sleep(0.02)
    time.sleep(draw.uniform(0, 0.1))
    process.kill()
    _, err = process.communicate()
    if process.returncode == 0:
      break
    assert process.returncode == -signal.SIGKILL, err
    deaths += 1
  assert deaths >= 2
  assert records.read(workdir).equals(records.read(tmp_path / "whole"))


@pytest.mark.slow
def test_the_page_tells_what_is_lost(finished, tmp_path):
  """Of joint attacks where retrieval and transfer are told, and not among attacks on texts."""
  _, made, _, workdir = finished
  report.write([workdir], tmp_path / "page.html")
  page = (tmp_path / "page.html").read_text()
  settings = {
    (cell.perturbation.text, cell.perturbation.setting)
    for cell in made.cells
    if cell.perturbation.knowledge
  }
  assert page.count("<tr data-lost=") == len(settings)
  assert sum(text.startswith("joint(") for text, _ in settings) == 4
  assert "transfer of sga(" in page
  found = metrics.text_attacks(records.read(workdir))
  assert {each.perturbation.partition("(")[0] for each in found} == {"leaf"}


def test_the_configs_ask_for_them(model, tmp_path):
  """COCO's five folds, and the first of them under LEAF's attack; SGA and Co-Attack."""
  captioned.shards(tmp_path / "wds_flickr30k", CAPTIONS)
  ten = {f"{number}.jpg": [f"the {number}th"] for number in range(10)}
  captioned.shards(tmp_path / "wds_mscoco_captions", ten)

  def made(name, argument):
    settings = runpy.run_path(str(command.ROOT / f"configs/{name}.py"))["get_config"](argument)
    changes = {"models": (model,), "data_root": str(tmp_path), "limit": 1}
    return plan.make(config.checked(dataclasses.replace(settings, **changes))).cells

  kinds = [cell.perturbation.kind for cell in made("joint", "tiny")]
  assert kinds == 2 * ["clean", "joint", "joint"]
  folds = {cell.data for cell in made("retrieval", "folds")}
  assert {name.removeprefix("captions of ") for name in folds} == {
    f"mscoco_captions-1k/{fold}" for fold in range(1, 6)
  }
  cells = made("text_attacks", "leaf")
  assert [cell.perturbation.kind for cell in cells] == 2 * ["clean", *3 * ["text_attack"]]
  assert sum("target='This is an image" in cell.perturbation.text for cell in cells) == 2


def test_who_has_no_two_sides_is_absent(model, tmp_path):
  def made(**changes):
    asked = {"models": (model,), "data": ("digits",), "joint": config.Joint(names=("sga",))}
    return plan.make(config.checked(config.Config(**asked | changes)))

  assert any(one.reason == "its images have no captions" for one in made().absent)
  name = str(captioned.shards(tmp_path / "wds_flickr30k", CAPTIONS))
  tokens = config.Attacks(surrogates=(f"{model}[tokens]",))
  reasons = {one.reason for one in made(data=(name,), attacks=tokens).absent}
  assert "both sides are attacked on one undefended model with its captions" in reasons
  with pytest.raises(errors.InputError, match="objective=, which is the attack's on both sides"):
    made(data=(name,), joint=config.Joint(names=("sga",), texts="leaf(objective='l2')"))
  with pytest.raises(errors.InputError, match="Did you mean 'sga'"):
    made(joint=config.Joint(names=("sgaa",)))
