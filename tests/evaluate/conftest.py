"""A CLIP that reads any caption."""

import pytest
from references import checkpoints


@pytest.fixture(scope="module")
def network():
  return checkpoints.clip()


@pytest.fixture(scope="module")
def model(network, tmp_path_factory):
  """A random CLIP with the whole vocabulary."""
  folder = tmp_path_factory.mktemp("clip")
  return checkpoints.write_huggingface(network, folder, checkpoints.CLIP_PROCESSOR)
