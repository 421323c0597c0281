import numpy as np
import pytest
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from jaxbench import models


@pytest.mark.parametrize("shape", [(8, 8), (37, 61), (300, 224), (225, 402), (500, 333)])
def test_pixels_equal_those_of_transformers(shape):
  image = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
  reference = CLIPImageProcessorPil(
    size={"shortest_edge": 224}, crop_size=224, do_normalize=False, do_rescale=False
  )
  expected = reference(image, return_tensors="np")["pixel_values"][0].transpose(1, 2, 0)
  np.testing.assert_array_equal(models.Preprocess(224)(image), expected)


def test_an_odd_margin_is_rounded_as_torchvision_rounds_it():
  """OpenAI's CLIP crops with torchvision, which takes round(margin / 2); transformers floors."""
  image = np.zeros((4, 7, 3), np.uint8)
  image[:, 2:6] = 255
  assert models.Preprocess(4)(image).min() == 255
