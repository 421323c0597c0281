"""The worst case over attacks, example by example, and the mean over data sets."""

import numpy as np
import pyarrow as pa
import pytest

from jaxbench import metrics, records
from jaxbench.metrics import Proportion


def _rows(names, success, **columns):
  none = [0] * len(names)
  fixed = dict.fromkeys(("label", "clean_prediction", "prediction", "forwards", "backwards"), none)
  shared = {"cell": "c", "model": "m", "data": "d", "perturbation": "a", "epsilon": 0.1}
  shared |= {name: columns.pop(name) for name in ("tolerance",) if name in columns}
  rows = {"example": list(names), "success": success, **columns}
  return records.table(shared, fixed | rows)


def test_an_example_withstands_if_no_attack_fools_it():
  fixed = _rows("abcd", [True, False, False, False])
  searched = _rows(  # In another order, and without "d".
    "cba", [True, True, False], distance=np.float32([0.03, 0.05, np.inf]), tolerance=0.01
  )
  assert metrics.withstood([fixed, searched], 0.04).tolist() == [False, True, False]
  assert metrics.withstood([searched], 0.05).tolist() == [True, False, False]
  assert metrics.withstood([searched], 0.02).tolist() == [True, True, True]
  assert metrics.withstood([pa.concat_tables([fixed])], 0.1).mean() == 0.75


def test_of_one_share_the_mean_is_itself():
  share = Proportion(0.3, 0.1, 0.6)
  assert metrics.mean_share([share]) == pytest.approx(share)


def test_intervals_of_means_cover_as_often_as_they_say():
  draw, shares, total = np.random.default_rng(0), (0.2, 0.9, 0.5), 80
  hits = 0
  for counts in draw.binomial(total, shares, (400, 3)).tolist():
    found = metrics.mean_share([metrics.proportion(count, total) for count in counts])
    hits += found.low <= np.mean(shares) <= found.high
  assert 0.94 < hits / 400 < 0.995  # Clopper-Pearson's are a little wide.


def test_visibility_is_the_median_of_what_was_measured():
  none = [False] * 3
  measured = _rows("abc", none, psnr=np.float32([20, np.inf, 30]), ssim=[0.5, None, 0.75])
  unknown = _rows("ab", none[:2])
  assert metrics.visibility([measured, unknown]) == (3, 30.0, 0.5)
  assert metrics.visibility([unknown]) is None
