"""The watermark of ImageNet-W: where it stands, how strong it is, and what is said to be read."""

import importlib.machinery
import importlib.util

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from jaxbench import errors, spec, tables, typography

FONT = str(tables.path("DejaVuSans.ttf"))  # Its boxes stand for the characters that it lacks.
NAMES = ("tench", "carton", "cat")


@pytest.mark.parametrize(("side", "size"), [(224, 36), (336, 54), (384, 62), (518, 84), (32, 5)])
def test_half_of_white_lies_over_the_letters_and_nothing_elsewhere(side, size):
  image = np.random.default_rng(0).integers(0, 256, (side, side, 3)).astype(np.uint8)
  written, targets = typography.attack(
    typography.watermark(font=FONT), image[None], ["a"], [0], NAMES
  )
  font = ImageFont.truetype(FONT, size, layout_engine=ImageFont.Layout.BASIC)
  ink = Image.new("L", (side, side))
  ImageDraw.Draw(ink).text((0.01 * side, 0.4 * side), "捷径捷径捷径", 255, font)
  share = np.asarray(ink)[..., None] / 255 * (128 / 255)
  assert share.max() > 0.5
  expected = image * (1 - share) + 255 * share
  assert np.abs(written[0] - expected).max() <= 1.5  # Pillow rounds the mask and the mixture.
  assert (written[0] == image)[share[..., 0] == 0].all()
  assert NAMES[targets[0]] == "carton"


def test_a_carton_is_marked_too_and_never_its_own_target():
  images = np.zeros((40, 64, 64, 3), np.uint8)
  ids, labels = [f"{row}" for row in range(40)], np.arange(40) % 3
  written, targets = typography.attack(typography.watermark(font=FONT), images, ids, labels, NAMES)
  assert (written == written[0]).all()
  assert written.any()
  assert (targets[labels != 1] == 1).all()
  assert (targets[labels == 1] != 1).all()


def test_the_font_comes_with_the_package_or_by_its_path(monkeypatch, tmp_path):
  monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
  with pytest.raises(errors.InputError, match="pip install --no-deps imagenet-w"):
    typography.watermark()
  folder = tmp_path / "imagenet_w/fonts"
  folder.mkdir(parents=True)
  (folder / "SourceHanSerifSC-ExtraLight.otf").write_bytes(
    tables.path("DejaVuSans.ttf").read_bytes()
  )
  found = importlib.machinery.ModuleSpec("imagenet_w", None)
  found.submodule_search_locations = [str(tmp_path / "imagenet_w")]
  monkeypatch.setattr(importlib.util, "find_spec", lambda name: found)
  overlay = spec.build(spec.resolve("watermark", typography.OVERLAYS, "typographic attack"))
  assert overlay.layout.font == str(folder / "SourceHanSerifSC-ExtraLight.otf")


def test_a_set_without_cartons_is_refused():
  overlay = typography.watermark(font=FONT)
  with pytest.raises(errors.InputError, match="cannot write 'carton'"):
    typography.attack(overlay, np.zeros((1, 64, 64, 3), np.uint8), ["a"], [0], ("cat", "dog"))
