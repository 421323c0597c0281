"""What image processors of transformers do with images: the same pixels, at odd margins too."""

import json

import numpy as np
import pytest
from references import checkpoints
from transformers.models.bit.image_processing_pil_bit import BitImageProcessorPil
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.convnext.image_processing_pil_convnext import ConvNextImageProcessorPil
from transformers.models.efficientnet.image_processing_pil_efficientnet import (
  EfficientNetImageProcessorPil,
)

from jaxbench import errors, models
from jaxbench.models.weights import processor

SHORT = {"size": {"shortest_edge": 36}, "crop_size": {"height": 32, "width": 32}}
# As ImageNet's EfficientNets have it, whose margins are odd or even on both axes alike.
BOTH = {"size": {"height": 37, "width": 37}, "crop_size": {"height": 32, "width": 32}}
PLAIN = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3, "resample": 3}
PROCESSORS = {
  "CLIP": (CLIPImageProcessorPil, SHORT),
  "Bit": (BitImageProcessorPil, SHORT),
  "ConvNext": (ConvNextImageProcessorPil, {"size": {"shortest_edge": 32}, "crop_pct": 0.875}),
  "EfficientNet": (
    EfficientNetImageProcessorPil,
    {**BOTH, "do_center_crop": True, "include_top": False},
  ),
}


def write(folder, name, said):
  """The preprocessor_config.json of a folder."""
  content = {**PLAIN, **said, "image_processor_type": f"{name}ImageProcessor"}
  (folder / "preprocessor_config.json").write_text(json.dumps(content))


@pytest.mark.parametrize("name", PROCESSORS)
def test_pixels_are_those_of_transformers(tmp_path, name):
  kind, said = PROCESSORS[name]
  write(tmp_path, name, said)
  preprocess = processor.read(tmp_path, "").preprocess
  reference = kind(**said, resample=3, do_normalize=False, do_rescale=False)
  random = np.random.default_rng(0)
  for long in range(36, 46):
    for shape in ((36, long, 3), (long, 36, 3)):
      image = random.integers(0, 256, shape, np.uint8)
      expected = reference(image, return_tensors="np")["pixel_values"][0].transpose(1, 2, 0)
      np.testing.assert_array_equal(preprocess(image), expected, str(shape))


def test_where_nothing_is_cut_off_no_margin_is_halved(tmp_path):
  write(tmp_path, "ViT", {"size": 32})
  assert processor.read(tmp_path, "").preprocess == models.Preprocess(32, 32, squash=True)


def test_a_folder_has_the_margins_of_transformers_or_those_that_are_asked_for(tmp_path):
  folder = checkpoints.write_huggingface(checkpoints.clip(), tmp_path, checkpoints.CLIP_PROCESSOR)
  assert models.describe(folder).config.preprocess == models.Preprocess(32, 32, margin="floor")
  rounded = models.Preprocess(32)
  assert models.load(folder, preprocess=rounded).preprocess == rounded
  assert models.describe(folder, preprocess=rounded, image_size=64).config.preprocess.size == 64
  with pytest.raises(errors.InputError, match=r"gives 24 pixels, the model takes 32; image_size="):
    models.load(folder, preprocess=models.Preprocess(24))
