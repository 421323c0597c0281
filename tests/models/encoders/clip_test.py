import jax.numpy as jnp
import numpy as np
import pytest

from jaxbench import models


@pytest.mark.slow
def test_what_follows_the_end_token_changes_nothing(clip):
  tokens = models.tokenize(["a photo of a seven."])
  short = tokens[:, : tokens[0].argmax() + 1]
  np.testing.assert_allclose(clip.encode_text(tokens), clip.encode_text(short), atol=1e-5)


def test_a_word_that_a_cut_table_lacks_is_never_another_word(clip):
  assert jnp.isnan(clip.encode_text(models.tokenize(["a photo of a giraffe."]))).all()
