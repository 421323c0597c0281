import io

import numpy as np
import pytest
from PIL import Image
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

from jaxbench import errors, models


@pytest.mark.parametrize("shape", [(8, 8), (37, 61), (300, 224), (225, 402), (500, 333)])
def test_pixels_equal_those_of_transformers(shape):
  image = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
  reference = CLIPImageProcessorPil(
    size={"shortest_edge": 224}, crop_size=224, do_normalize=False, do_rescale=False
  )
  expected = reference(image, return_tensors="np")["pixel_values"][0].transpose(1, 2, 0)
  np.testing.assert_array_equal(models.Preprocess(224)(image), expected)


@pytest.mark.parametrize(("margin", "before"), [(None, 2), ("floor", 1)])
def test_an_odd_margin_is_rounded_as_torchvision_rounds_it_or_floored(margin, before):
  """OpenAI's CLIP crops with torchvision, which takes round(margin / 2); transformers floors."""
  image = np.zeros((4, 7, 3), np.uint8)
  image[:, before : before + 4] = 255
  assert models.Preprocess(4, margin=margin)(image).min() == 255


def test_a_margin_that_is_not_said_shows_nowhere():
  """What is known by the text or a hash of it, as caches and rows are, is known by it still."""
  text = "Preprocess(size=4, resize=None, interpolation='bicubic', squash=False)"
  assert repr(models.Preprocess(4)) == text
  assert repr(models.Preprocess(4, margin="floor")) == text.replace(")", ", margin='floor')")
  assert "margin" not in models.told(models.Preprocess(4))
  with pytest.raises(errors.InputError, match="unknown margin 'round'; it is None or 'floor'"):
    models.Preprocess(4, margin="round")


def test_supervised_models_resize_further_than_they_crop():
  image = np.random.default_rng(0).integers(0, 256, (300, 401, 3), np.uint8)
  reference = CLIPImageProcessorPil(
    size={"shortest_edge": 256}, crop_size=224, resample=2, do_normalize=False, do_rescale=False
  )
  expected = reference(image, return_tensors="np")["pixel_values"][0].transpose(1, 2, 0)
  np.testing.assert_array_equal(models.Preprocess(224, 256, "bilinear")(image), expected)


def test_squashed_pixels_equal_those_of_transformers():
  image = np.random.default_rng(0).integers(0, 256, (300, 401, 3), np.uint8)
  reference = SiglipImageProcessorPil(do_normalize=False, do_rescale=False)
  expected = reference(image, return_tensors="np")["pixel_values"][0].transpose(1, 2, 0)
  np.testing.assert_array_equal(models.Preprocess(224, squash=True)(image), expected)


@pytest.mark.parametrize(("least", "longest"), [(37, 61), (111, 333), (48, 50), (7, 999)])
def test_sides_are_those_of_torchvision(monkeypatch, least, longest):
  """int(short * long / least), in that order: another order is one pixel off on some sizes."""
  sizes, resize = [], Image.Image.resize

  def spy(self, size, *rest):
    sizes.append(size)
    return resize(self, size, *rest)

  monkeypatch.setattr(Image.Image, "resize", spy)
  models.Preprocess(8, 224)(Image.new("RGB", (longest, least)))
  assert sizes == [(int(224 * longest / least), 224)]


def _file(image, kind, **options):
  buffer = io.BytesIO()
  image.save(buffer, kind, **options)
  return Image.open(buffer)


RGB = np.random.default_rng(0).integers(0, 256, (50, 41, 3), np.uint8)
GREY = RGB[..., 0]
_SIXTEEN = GREY.astype(np.uint16) * 257
_ALPHA = np.dstack([RGB, 255 - GREY])


def _rotated():
  exif = Image.Exif()
  exif[0x0112] = 6  # Rotate by 90 degrees to display.
  return _file(Image.fromarray(RGB), "PNG", exif=exif)


@pytest.mark.parametrize(
  ("picture", "expected"),
  [
    (_file(Image.fromarray(GREY), "PNG"), np.dstack([GREY] * 3)),
    (_file(Image.fromarray(_ALPHA), "PNG"), RGB),
    (_file(Image.fromarray(np.dstack([GREY, GREY])), "PNG"), np.dstack([GREY] * 3)),
    (_file(Image.fromarray(255 - _ALPHA, "CMYK"), "TIFF"), None),
    (_file(Image.fromarray(RGB).quantize(16), "PNG"), None),
    (_file(Image.fromarray(_SIXTEEN), "PNG"), None),
    (_rotated(), RGB),
  ],
  ids=["grey", "alpha", "grey and alpha", "cmyk", "palette", "16 bits", "exif"],
)
def test_other_modes_are_converted_as_loaders_convert_them(picture, expected):
  converted = np.asarray(picture.convert("RGB"))
  if expected is not None:
    np.testing.assert_array_equal(converted, expected)
  preprocess = models.Preprocess(24, 32)
  np.testing.assert_array_equal(preprocess(picture), preprocess(converted))
