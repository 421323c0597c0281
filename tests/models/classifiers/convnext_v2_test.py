import jax
import jax.numpy as jnp
import pytest
from references import parity
from references.writers import timm

from jaxbench import models
from jaxbench.models.classifiers.convnext import ResponseNorm
from jaxbench.models.classifiers.convnext_v2 import ConvNeXtV2Config

CONFIG = ConvNeXtV2Config(
  depths=(1, 1, 2, 1), widths=(8, 12, 16, 20), num_classes=5, preprocess=models.Preprocess(32)
)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["convnextv2_tiny", "convnextv2_atto"])
def test_timm(load_timm, name):
  reference = timm.create_model(name, depths=(1, 1, 2, 1), dims=(8, 12, 16, 20), num_classes=5)
  model = load_timm(CONFIG, parity.randomize(reference))
  parity.assert_same(model, reference, model.config, within=1e-5)


def test_a_channel_of_zeros_has_a_gradient_of_zeros():
  x = jnp.zeros((1, 2, 2, 3)).at[..., 0].set(1.0)
  gradient = jax.grad(lambda x: ResponseNorm(3)(x).sum())(x)
  assert bool(jnp.isfinite(gradient).all())
