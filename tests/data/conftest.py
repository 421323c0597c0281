"""Hashes and indexes of data sets are remembered in a folder of the tests."""

import pytest


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory):
  """A cache folder of our own."""
  patch = pytest.MonkeyPatch()
  patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
  yield
  patch.undo()
