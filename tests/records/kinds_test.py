"""Kinds of perturbation, told of what a plan writes and of what older versions have written."""

import json

import pytest

from jaxbench import config, plan, records
from jaxbench.evaluate import provenance
from jaxbench.records import kinds


@pytest.fixture(scope="module")
def described():
  settings = config.checked(
    config.Config(
      models=("digits-resnet", "digits-clip"),
      data=("digits",),
      prompts=("simple",),
      typography=("text",),
      corruptions=config.Corruptions(
        names=("fog",), severities=(3,), sequences=("tilt",), variant="cifar", difficulty=2
      ),
      attacks=config.Attacks(
        names=("pgd(steps=2)", "autoattack"),
        smallest=("fgsm",),
        transfer=("mim",),
        smallest_transfer=("fgsm",),
        surrogates=("digits-resnet",),
      ),
      limit=3,
    )
  )
  return provenance.describe_run(settings, plan.make(settings))


def _expected(cell):
  """By the fields that a kind fills."""
  if cell["sequence"]:
    return kinds.SEQUENCE
  if cell["surrogate"]:
    return kinds.TRANSFER if cell["tolerance"] is None else kinds.SMALLEST_TRANSFER
  if cell["attack"]:
    return kinds.ATTACK if cell["tolerance"] is None else kinds.SMALLEST
  if cell["severity"]:
    return kinds.CORRUPTION
  return kinds.TYPOGRAPHY if cell["knowledge"] else kinds.CLEAN


def test_a_run_says_of_every_cell_what_kind_it_is(described):
  assert [cell["kind"] for cell in described["cells"]] == list(map(_expected, described["cells"]))
  assert {cell["kind"] for cell in described["cells"]} == {
    *(kinds.CLEAN, kinds.CORRUPTION, kinds.SEQUENCE, kinds.TYPOGRAPHY, kinds.ATTACK),
    *(kinds.SMALLEST, kinds.TRANSFER, kinds.SMALLEST_TRANSFER),
  }
  assert kinds.of({"perturbation": "stylized", "severity": None, "epsilon": None}) == "stylization"


def test_what_an_older_run_does_not_say_is_derived(described, tmp_path):
  added = ("kind", "sequence", "surrogate", "knowledge", "native")
  cells = [
    {name: value for name, value in cell.items() if name not in added or (value and name != "kind")}
    for cell in described["cells"]
  ]
  old = {name: described[name] for name in ("identity", "data", "absent")} | {"cells": cells}
  (tmp_path / "run.json").write_text(json.dumps(old))
  run = records.load_run(tmp_path)
  assert run["cells"] == json.loads(json.dumps(described["cells"]))
  assert (run["published"], run["flip_reference"], run["warnings"]) == ([], None, [])
