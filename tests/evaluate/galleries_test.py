"""Runs in which all of one side of a retrieval set is attacked, and the other looks for it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from references import captioned, checkpoints

from jaxbench import config, data, models, plan, records, retrieval
from jaxbench.evaluate import runner

WORDS = ("a red bus", "two dogs on grass", "an old man", "the sea at night")
CAPTIONS = {
  f"{number}.jpg": [f"{WORDS[number % 4]} {place}, {number}" for place in range(1 + number % 2)]
  for number in range(6)
}
EPSILON = 16 / 255


@pytest.fixture(scope="module")
def finished(model, tmp_path_factory):
  patch = pytest.MonkeyPatch()
  root = tmp_path_factory.mktemp("root")
  patch.setenv("XDG_CACHE_HOME", str(root / "xdg"))
  name = str(captioned.shards(root / "wds_flickr30k", CAPTIONS))
  settings = config.checked(
    config.Config(
      models=(model,),
      data=(name,),
      attacks=config.Attacks(
        transfer=("fgsm", "pgd(steps=2)"),
        surrogates=(model, f"{model}[tokens]"),
        epsilons=(0.0, EPSILON),
      ),
      text_attacks=config.TextAttacks(names=("leaf(rho=3, alphabet='xyz')",)),
      slots=2,
      block=4,
    )
  )
  made = plan.make(settings)
  runner.run(settings, made, root / "run", quiet=True)
  patch.undo()
  rows = records.read(root / "run").to_pylist()
  return name, made, rows


def _of(rows, direction, kind, epsilon=None):
  rows = [row for row in rows if (row["direction"], row["epsilon"]) == (direction, epsilon)]
  return [row for row in rows if row["perturbation"].startswith(kind)]


def _unit(features):
  features = np.asarray(features)
  return features / np.linalg.norm(features, axis=1, keepdims=True)


def _matches(rows, ids, expected):
  for row in rows:
    at = ids.index(row["example"])
    assert row["rank"] == expected.rank[at]
    assert row["prediction"] == expected.prediction[at]
    assert row["success"] == (row["prediction"] != row["label"])
    assert row["protocol"] == "gallery"


def test_captions_look_among_all_attacked_images(finished, model):
  name, made, rows = finished
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

  moved = np.clip(images + EPSILON * np.sign(jax.grad(loss)(jnp.asarray(images))), 0, 1)
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
  name, _, rows = finished
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
  name, _, rows = finished
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
