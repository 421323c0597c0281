import errno
import os

import pytest
import tenacity

from jaxbench import whole


def test_of_several_creations_the_first_counts(tmp_path):
  assert whole.create(tmp_path / "a", b"one")
  assert not whole.create(tmp_path / "a", b"two")
  assert whole.create(tmp_path / "a", b"one")  # As after an answer that was lost.
  assert whole.read(tmp_path / "a") == b"one"
  assert whole.read(tmp_path / "b") is None
  assert set(whole.listing(tmp_path)) == {"a"}
  whole.remove(tmp_path / "a")
  whole.remove(tmp_path / "a")
  assert whole.listing(tmp_path) == whole.listing(tmp_path / "b") == {}


@pytest.mark.parametrize(
  ("number", "tries"), [(errno.ESTALE, 3), (errno.EIO, 3), (errno.ENOSPC, 1), (errno.EACCES, 1)]
)
def test_what_passes_is_waited_out_and_what_does_not_is_told_at_once(
  number, tries, tmp_path, monkeypatch
):
  monkeypatch.setattr(tenacity.nap.time, "sleep", lambda seconds: None)
  replace, tried = os.replace, []

  def fail_twice(*arguments):
    tried.append(arguments)
    if len(tried) < 3:
      raise OSError(number, os.strerror(number))
    replace(*arguments)

  (tmp_path / "a").write_bytes(b"old")
  monkeypatch.setattr(os, "replace", fail_twice)
  if tries == 1:
    with pytest.raises(OSError, match=os.strerror(number)):
      whole.write(tmp_path / "a", b"new")
  else:
    whole.write(tmp_path / "a", b"new")
  assert len(tried) == tries
  assert (tmp_path / "a").read_bytes() == (b"old" if tries == 1 else b"new")
  assert len(list(tmp_path.iterdir())) == 1
