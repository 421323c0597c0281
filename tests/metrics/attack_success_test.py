"""Success by every definition, from tables made by hand."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxbench import errors, metrics


def _rows(label, before, after, target=None):
  columns = {"label": label, "clean_prediction": before, "prediction": after}
  table = pa.table({name: pa.array(values, pa.int32()) for name, values in columns.items()})
  return table.append_column("target", pa.array(target or [None] * len(label), pa.int32()))


# Right before: four of five; two of them are lost, the wrong one is won.
ROWS = _rows([0, 1, 2, 3, 4], [0, 1, 2, 3, 0], [0, 1, 0, 1, 4], target=[1, 1, 0, 0, 4])
EXPECTED = {
  "set_difference": 2 / 4,
  "points": 1 / 5,
  "relative": 1 / 4,
  "targeted": 3 / 5,
  "fooling": 3 / 5,
}


def test_every_definition_has_its_value():
  assert {name: metrics.attack_success(ROWS, name) for name in metrics.DEFINITIONS} == EXPECTED


def test_of_a_retrieval_the_ranks_count():
  clean = pa.table({"example": ["a", "b", "c"], "rank": pa.array([0, 4, 7], pa.int32())})
  rows = _rows([0, 1, 2], [0, 0, 0], [0, 0, 0]).append_column("example", pa.array(["c", "a", "b"]))
  rows = rows.append_column("rank", pa.array([0, 9, 4], pa.int32()))
  found = {
    k: [
      metrics.attack_success(rows, name, clean=clean, k=k) for name in ("set_difference", "points")
    ]
    for k in (1, 5, 10)
  }
  assert found == {1: [1.0, 0.0], 5: [0.5, 0.0], 10: [0.0, 0.0]}
  with pytest.raises(errors.InputError, match="have no clean row"):
    metrics.attack_success(rows, "points", clean=clean.slice(1), k=1)


def test_nothing_right_and_no_targets():
  rows = _rows([0], [1], [2])
  assert metrics.attack_success(rows, "set_difference") is None
  with pytest.raises(errors.InputError, match="no targets"):
    metrics.attack_success(rows, "targeted")
  with pytest.raises(errors.InputError, match="Did you mean 'points'"):
    metrics.attack_success(rows, "point")


@given(st.lists(st.tuples(*[st.integers(0, 2)] * 3), min_size=1, max_size=20))
def test_what_is_lost_is_never_less_than_what_is_lost_on_balance(rows):
  table = _rows(*np.array(rows).T.tolist())
  lost, balance = (metrics.attack_success(table, name) for name in ("set_difference", "relative"))
  if lost is not None:
    assert lost >= balance
    won = any(label not in (before,) and label == after for label, before, after in rows)
    assert (lost == balance) == (not won)
