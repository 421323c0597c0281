"""Images of 8 bits, which a network would take for numbers far outside [0, 1]."""

import jax
import numpy as np
import pytest

from jaxbench import data, errors, models


def _classifiers():
  resnet, clip = models.load("digits-resnet"), models.load("digits-clip")
  names, templates = data.load("digits").class_names, models.templates("simple")
  return {
    "supervised": resnet,
    "zero-shot": models.zero_shot(clip, names, templates),
    "zero-shot, resizing": models.zero_shot(clip, names, templates, resize=True),
    "resized": models.resized(resnet, 32),
    "pooled": models.pooled(resnet, [(0, 1), (2,)]),
    "pooled of another": models.pooled(lambda images: images.reshape(len(images), -1), [(0,)]),
    "image tower": clip.visual,
  }


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.bool_])
def test_no_classifier_takes_images_that_are_not_floats(dtype):
  for name, classifier in _classifiers().items():
    images = np.ones((2, 64 if name in ("resized", "zero-shot, resizing") else 32, 32, 3), dtype)
    with pytest.raises(errors.InputError, match=f"images are {np.dtype(dtype)}; .*by 255"):
      jax.eval_shape(classifier, images)
    jax.eval_shape(classifier, images.astype(np.float32))
