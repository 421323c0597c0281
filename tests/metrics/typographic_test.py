import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from jaxbench import errors, metrics

LABEL = [0, 1, 2, 3, 0, 1]
TARGET = [1, 2, 3, 0, 2, 3]
CLEAN = [0, 1, 2, 0, 2, 1]  # Four right; the fourth and fifth wrong, both as the text will say.
PREDICTION = [1, 1, 3, 0, 0, 0]


def test_it_counts_what_a_person_would_count():
  found = metrics.typographic(LABEL, TARGET, PREDICTION, CLEAN)
  assert found.examples == 6
  assert found.accuracy == metrics.proportion(2, 6)
  assert found.clean_accuracy == metrics.proportion(4, 6)
  assert found.followed == metrics.proportion(3, 6)  # RoZ's: of all.
  assert found.followed_if_correct == metrics.proportion(2, 4)
  assert found.drop.difference == pytest.approx(2 / 6)
  assert (found.drop.only_first, found.drop.only_second) == (3, 1)
  assert found.drop.p_value == pytest.approx(stats.binomtest(3, 4).pvalue)


def test_records_columns_serve():
  columns = {"label": LABEL, "target": TARGET, "prediction": PREDICTION, "clean_prediction": CLEAN}
  rows = pa.table({name: pa.array(column, pa.int32()) for name, column in columns.items()})
  found = metrics.typographic(*(rows[name] for name in columns))
  assert found == metrics.typographic(LABEL, TARGET, PREDICTION, CLEAN)


def test_without_clean_predictions_what_needs_them_is_absent():
  found = metrics.typographic(LABEL, TARGET, PREDICTION)
  assert found[:3] == metrics.typographic(LABEL, TARGET, PREDICTION, CLEAN)[:3]
  assert found[3:] == (None, None, None)


def test_a_model_that_is_never_right_has_no_conditioned_share():
  found = metrics.typographic([0, 0], [1, 1], [1, 1], [1, 1])
  assert found.followed.value == 1
  assert found.followed_if_correct is None
  assert found.drop.difference == 0


@pytest.mark.parametrize(
  ("arguments", "message"),
  [
    (([], [], []), "not empty"),
    (([0, 1], [1], [0, 1]), r"columns of \[2, 1, 2, 2\] examples"),
    ((LABEL, LABEL, PREDICTION), "the target of 6 of 6 examples is their own label"),
  ],
)
def test_bad_columns_are_one_clear_line(arguments, message):
  with pytest.raises(errors.InputError, match=message):
    metrics.typographic(*map(np.array, arguments))
