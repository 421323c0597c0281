import os

import pytest

from jaxbench import errors, report
from jaxbench.storage import places


def test_places_that_can_be_used_are_accepted(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  for place in ("report.html", tmp_path / "report.html", "gs://bucket/report.html"):
    places.for_file("--out", place)
  for place in ("new", "new/deep", tmp_path, tmp_path / "new", "gs://bucket/run"):
    places.for_folder("--export", place)
  assert not list(tmp_path.iterdir())


def test_a_file_in_no_folder_is_refused_with_the_folder_named(tmp_path):
  with pytest.raises(errors.InputError, match=rf"there is no folder {tmp_path}/none; make it"):
    places.for_file("--out", tmp_path / "none" / "page.html")
  with pytest.raises(errors.InputError, match="is a folder; name a file in it"):
    places.for_file("--out", tmp_path)


def test_a_folder_that_is_a_file_is_refused(tmp_path):
  (tmp_path / "file").write_text("")
  (tmp_path / "lost").symlink_to(tmp_path / "nowhere")
  for place in (tmp_path / "file", tmp_path / "file" / "deep" / "er", tmp_path / "lost"):
    with pytest.raises(errors.InputError, match="cannot be used: Not a directory"):
      places.for_folder("--export", place)
  with pytest.raises(errors.InputError, match="cannot be used: Not a directory"):
    places.for_file("--out", tmp_path / "file" / "page.html")


def test_a_folder_that_may_not_be_written_to_is_refused(tmp_path, monkeypatch):
  monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK)  # Root may always.
  with pytest.raises(errors.InputError, match=f"{tmp_path} may not be written to"):
    places.for_folder("--export", tmp_path / "new")


def test_a_report_looks_where_it_goes_before_it_reads(tmp_path):
  with pytest.raises(errors.InputError, match=r"^out=.*there is no folder"):
    report.write([tmp_path / "no run"], tmp_path / "none" / "page.html")
