"""Embedded prompts: kept, and found again where nothing that decides them has changed."""

import sys

import numpy as np
import pytest

from jaxbench import models
from jaxbench.evaluate import heads

NAMES = ("zero", "one", "two")
TEMPLATES = models.templates("simple")


@pytest.fixture
def embedded(monkeypatch):
  """How often prompts are embedded."""
  module = sys.modules["jaxbench.models.prompting.zero_shot"]  # The function hides it.
  calls, text = [], module._text

  def counted(*arguments):
    calls.append(arguments)
    return text(*arguments)

  monkeypatch.setattr(module, "_text", counted)
  return calls


@pytest.fixture
def programs(tmp_path, monkeypatch):
  """Where compiled programs are kept."""
  folder = tmp_path / "programs"
  monkeypatch.setattr(heads, "_programs", lambda: folder)
  return folder


def _text(clip, workdir, weights="abc", names=NAMES, templates=TEMPLATES):
  return np.asarray(heads.Heads(workdir).zero_shot(clip, weights, names, templates).text)


def test_a_head_is_embedded_once_for_all_runs(clip, embedded, programs, tmp_path):
  expected = np.asarray(models.zero_shot(clip, NAMES, TEMPLATES).text)
  for workdir in ("one", "one", "two"):
    np.testing.assert_array_equal(_text(clip, tmp_path / workdir), expected)
  assert len(embedded) == 2
  assert [len(list((tmp_path / name / "heads").iterdir())) for name in ("one", "two")] == [1, 1]


def test_beside_the_run_it_lies_where_nothing_else_is_kept(clip, embedded, monkeypatch, tmp_path):
  monkeypatch.setattr(heads, "_programs", lambda: None)
  for _ in range(2):
    _text(clip, tmp_path)
  assert len(embedded) == 1


@pytest.mark.parametrize(
  "other",
  [
    {"weights": "abd"},
    {"names": NAMES[::-1]},
    {"templates": models.templates("class_name")},
    {"templates": {name: [f"my {name}"] for name in NAMES}},
  ],
)
def test_whatever_decides_it_is_in_its_address(other, clip, embedded, programs, tmp_path):
  _text(clip, tmp_path)
  found = _text(clip, tmp_path, **other)
  names, templates = other.get("names", NAMES), other.get("templates", TEMPLATES)
  expected = np.asarray(models.zero_shot(clip, names, templates).text)
  np.testing.assert_array_equal(found, expected)
  assert len(embedded) == 3


@pytest.mark.parametrize("content", [b"", b"no array", "short", "infinite"])
def test_a_damaged_one_is_embedded_anew(content, clip, embedded, programs, tmp_path):
  expected = _text(clip, tmp_path)
  files = [*(tmp_path / "heads").iterdir(), *(programs / "heads").iterdir()]
  wrong = {"short": expected[:, :2], "infinite": np.full_like(expected, np.inf)}
  for file in files:
    if isinstance(content, bytes):
      file.write_bytes(content)
    else:
      np.save(file, wrong[content])
  np.testing.assert_array_equal(_text(clip, tmp_path), expected)
  np.testing.assert_array_equal(_text(clip, tmp_path), expected)
  assert len(embedded) == 2
