import jax
import numpy as np
import pytest
import torch

from jaxbench import errors, models


def _mean(images):
  return images.mean(axis=(1, 2))


@pytest.mark.parametrize("size", [12, 24, 36])
def test_images_of_other_sizes_are_resized_as_torch_does_it(size):
  images = np.random.default_rng(0).random((2, 24, 24, 3), np.float32)
  resized = models.resized(jax.tree_util.Partial(lambda x: x.reshape(len(x), -1)), size)
  expected = torch.nn.functional.interpolate(
    torch.tensor(images).movedim(-1, 1), size=(size, size), mode="bicubic", antialias=True
  )
  expected = expected.clamp(0, 1).movedim(1, -1).flatten(1)
  inside = np.zeros((size, size, 3), bool)
  inside[3:-3, 3:-3] = True  # At the borders the two weigh the missing pixels differently.
  found = resized(images)
  assert found.shape == (2, size * size * 3)
  np.testing.assert_allclose(found[:, inside.ravel()], expected[:, inside.ravel()], atol=1e-5)


def test_gradients_reach_the_pixels_given():
  resized = models.resized(jax.tree_util.Partial(_mean), 4)
  gradient = jax.grad(lambda x: resized(x).sum())(np.full((1, 8, 8, 3), 0.5, np.float32))
  assert gradient.shape == (1, 8, 8, 3)
  assert (np.asarray(gradient) > 0).any()


def test_it_computes_in_another_dtype_as_its_classifier_does(classifier):
  searching = models.resized(classifier, 32).compute_in("bfloat16")
  assert searching.classifier.visual.compute_dtype == "bfloat16"
  assert classifier.visual.compute_dtype == "float32"
  assert searching.size == 32


@pytest.mark.parametrize("size", [0, 2.5])
def test_a_size_that_is_none_is_refused(size):
  with pytest.raises(errors.InputError, match="at least one pixel"):
    models.resized(_mean, size)
