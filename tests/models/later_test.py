"""Fields that came after checkpoints, and the rows of runs, had been written."""

import dataclasses

from jaxbench import models


def test_an_identity_has_what_came_later_only_where_it_is_not_as_before():
  before = models.ARCHITECTURES["ViT-B-32"]
  said = models.told(before)
  assert set(said["text"]) == {"width", "layers", "heads", "mlp_width", "activation", "epsilon"}
  after = dataclasses.replace(before, text=dataclasses.replace(before.text, layer_scale=True))
  assert models.told(after)["text"] == said["text"] | {"layer_scale": True}
  rotary = models.told(models.ARCHITECTURES["EVA02-B-16"])["vision"]["tower"]["rotary"]
  assert rotary == dataclasses.asdict(models.ARCHITECTURES["EVA02-B-16"].vision.tower.rotary)
