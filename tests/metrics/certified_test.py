"""Certified accuracy and attacks beside it, from made-up rows."""

import numpy as np
import pyarrow as pa
import pytest

from jaxbench import metrics, records

MODEL = "clip|smooth"
RADII = [0.0, 0.3, 0.6, 1.2, 0.8]  # Of which the last is that of a wrong class, the first abstains.
PREDICTIONS = [-1, 0, 0, 0, 1]
FOOLED = [0.0, 0.5, 0.4, np.inf, 0.0]  # By the smallest perturbation that an attack found.


def _table(cell, **columns):
  count = len(RADII)
  shared = {"cell": cell, "model": MODEL, "data": "digits", "perturbation": cell}
  usual = {
    "example": [str(number) for number in range(count)],
    "label": np.zeros(count, np.int32),
    "clean_prediction": np.zeros(count, np.int32),
    "prediction": np.zeros(count, np.int32),
    "forwards": np.ones(count, np.int32),
    "backwards": np.zeros(count, np.int32),
  }
  return records.table(shared, usual | columns)


@pytest.fixture(scope="module")
def found():
  usual = {"model": MODEL, "data": "digits", "prompts": "simple", "severity": None, "norm": None}
  certificate, attack = "certify(samples=9)", "smallest(pgd(norm='l2'))"
  cells = [
    usual | {"id": certificate, "perturbation": certificate, "epsilon": None},
    usual | {"id": attack, "perturbation": attack, "epsilon": 2.0, "norm": "l2"},
    usual | {"id": "pgd", "perturbation": "pgd", "epsilon": 0.1, "norm": "linf"},
  ]
  radius = np.array(RADII, np.float32)
  distance = np.array(FOOLED, np.float32)
  rows = pa.concat_tables(
    [
      _table(certificate, prediction=np.array(PREDICTIONS, np.int32), radius=radius),
      _table(attack, success=np.isfinite(distance), distance=distance),
      _table("pgd", success=np.ones(5, bool), distance=np.full(5, 0.01, np.float32)),
    ]
  )
  (one,) = metrics.summarize_certified(rows, cells)
  return one


def test_who_abstains_or_is_wrong_is_not_certified(found):
  shares = {at: share.value for at, share in found.accuracy.items()}
  assert shares == {0.0: 0.6, 0.1: 0.6, 0.25: 0.6, 0.5: 0.4, 0.75: 0.2, 1.0: 0.2}
  assert found.abstained == pytest.approx(0.2)
  assert found.accuracy[0.5].low < 0.4 < found.accuracy[0.5].high


def test_an_attack_inside_the_radius_refutes_it(found):
  assert found.refuted == 1  # At 0.4 inside 0.6; the l-inf attack says nothing of l2.
  (reason,) = metrics.certificate_doubts(found)
  assert reason.startswith("attacks fooled 1 of 5 images inside their certified radius")
  assert not list(metrics.certificate_doubts(found._replace(attacked=None)))
