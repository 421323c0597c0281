"""Robust accuracy of the embedded models, against the torch attacks on the same weights."""

import jax
import numpy as np
import pytest
import torch
from references import attacks as reference
from references import towers
from scipy import stats

from jaxbench import attacks, data, models

EPSILON = {"digits-clip": 3 / 255, "digits-clip-robust": 12 / 255}
STEPS = 10
COUNT = 160


@pytest.mark.parametrize("name", EPSILON)
def test_apgd_finds_as_much_as_torch(name, scans):
  clip = models.load(name)
  ours = models.zero_shot(clip, data.load("digits").class_names, models.templates("simple"))
  theirs = towers.Classifier(ours, clip.config)
  images, labels = (array[:COUNT] for array in scans)
  clean, classes = torch.tensor(images), torch.tensor(labels).long()
  with torch.no_grad():
    logits = theirs(clean)
  np.testing.assert_allclose(logits, jax.jit(lambda c, x: c(x))(ours, images), atol=2e-3)
  right = logits.argmax(dim=1) == classes
  noise = torch.rand(clean.shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
  start = (clean + EPSILON[name] * noise / noise.abs().amax(dim=(1, 2, 3), keepdim=True)).clamp(
    0, 1
  )
  fooled = torch.zeros(COUNT, dtype=torch.bool)
  for _, seen in reference.apgd(
    theirs, clean, classes, EPSILON[name], start, reference.cross_entropy, steps=STEPS
  ):
    fooled |= seen.argmax(dim=1) != classes
  robust = (right & ~fooled).numpy()
  result = attacks.run(
    attacks.apgd(steps=STEPS), ours, images, labels, EPSILON[name], jax.random.key(0), slots=2
  )
  only_ours, only_theirs = (result.success & robust).sum(), (~result.success & ~robust).sum()
  assert 0.05 < robust.mean() < 0.95
  assert abs(int(only_ours) - int(only_theirs)) <= 0.02 * COUNT
  if only_ours + only_theirs:  # Exact McNemar, one-sided: ours may not be the weaker one.
    test = stats.binomtest(int(only_theirs), int(only_ours + only_theirs), alternative="greater")
    assert test.pvalue > 0.05
