"""Ensembles of prompts, one for each of five data sets, against open_clip's."""

import json

import numpy as np
import pytest
import torch
from references import checkpoints, parity
from references.writers import open_clip

from jaxbench import models
from jaxbench.data import label_spaces
from jaxbench.data.zero_shot import spaces
from jaxbench.plan.prompting import prompting

VISION = {"image_size": 32, "patch_size": 16, "layers": 1, "width": 32, "head_width": 16}
TEXT = {"width": 32, "heads": 2, "layers": 2}
SPACES = {
  "imagenet-a": label_spaces.imagenet_a,
  "cars": lambda: spaces.space("cars"),
  "cifar100": lambda: spaces.as_stored("cifar100", ["apple", "aquarium fish", "baby"]),
  "gtsrb": lambda: spaces.space("gtsrb"),
  "kitti_closest_vehicle_distance": lambda: spaces.space("kitti_closest_vehicle_distance"),
}


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
  """A random CLIP of open_clip, and ours of its folder."""
  folder = tmp_path_factory.mktemp("clip")
  torch.manual_seed(0)
  theirs = parity.randomize(open_clip.CLIP(24, VISION, TEXT))
  checkpoints.write_safetensors(theirs.state_dict(), folder / "open_clip_model.safetensors")
  model = {"embed_dim": 24, "vision_cfg": VISION, "text_cfg": TEXT}
  (folder / "open_clip_config.json").write_text(
    json.dumps({"model_cfg": model, "preprocess_cfg": {}})
  )
  return theirs, models.load(str(folder))


@pytest.mark.slow
@pytest.mark.parametrize("name", SPACES)
def test_the_vectors_of_the_classes_are_open_clips(pair, name):
  theirs, ours = pair
  asked = prompting("own", SPACES[name]())
  names, templates = asked.class_names[:6], asked.templates
  classifier = models.zero_shot(ours, names, templates)
  with torch.no_grad():
    expected = open_clip.build_zero_shot_classifier(
      theirs,
      open_clip.SimpleTokenizer(),
      list(names),
      [lambda c, template=template: template.replace("{}", c) for template in templates],
    )
  np.testing.assert_allclose(classifier.text, expected.numpy(), atol=1e-6)
