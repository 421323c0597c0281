"""Images as a protocol wants them, instead of as the models do."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from jaxbench import config, errors, models, plan
from jaxbench.evaluate import provenance
from jaxbench.plan import pixels

BILINEAR = "resize(short=256, interpolation='bilinear')"


def test_the_short_side_is_resized_and_the_models_size_stays():
  usual = models.Preprocess(224, squash=True)
  shown = pixels.preprocess(BILINEAR, usual)
  assert shown == models.Preprocess(224, 256, "bilinear")
  image = np.random.default_rng(0).integers(0, 256, (300, 400, 3)).astype(np.uint8)
  resized = Image.fromarray(image).resize((341, 256), Image.Resampling.BILINEAR)
  expected = np.asarray(resized)[16:240, 58:282]  # Half of 117 is rounded to even.
  np.testing.assert_array_equal(shown(image), expected)
  assert pixels.preprocess("", usual) is usual


@pytest.mark.parametrize(
  ("text", "message"),
  [
    ("resize(short=200)", "a short side of 200 holds no 224 pixels"),
    ("resize(short=256, interpolation='cubic')", "interpolation 'cubic'"),
    ("crop(short=256)", "'crop'"),
    ("resize(side=256)", "'side'"),
    ("resize", "short"),
  ],
)
def test_what_cannot_be_meant_is_one_line(text, message):
  with pytest.raises(errors.InputError, match=message) as raised:
    pixels.preprocess(text, models.Preprocess(224))
  assert "\n" not in str(raised.value)


def _plan(**changes):
  settings = config.Config(models=("digits-clip",), data=("digits",), limit=4, **changes)
  checked = config.checked(settings)
  return checked, plan.make(checked)


def test_a_plan_and_its_identity_know_it_only_where_it_is_said():
  settings, usual = _plan()
  assert "preprocess" not in provenance.describe_run(settings, usual)["identity"]["config"]
  changed, other = _plan(preprocess="resize(short=40)")
  told = provenance.describe_run(changed, other)["identity"]["config"]
  assert told["preprocess"] == "resize(short=40)"
  (before,), (after,) = usual.cells, other.cells
  assert after.preprocess == dataclasses.replace(before.preprocess, resize=40)
  assert after.fingerprint != before.fingerprint
  with pytest.raises(errors.InputError, match="'crop'"):
    _plan(preprocess="crop(short=40)")
