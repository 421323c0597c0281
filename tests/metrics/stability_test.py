"""Rates of flips and of top-5 distances, and the tables that they are made of."""

import json

import numpy as np
import pyarrow as pa
import pytest

from jaxbench import errors, metrics, records


def _changes(factor):
  """Of 50 images; FP of sequence number i is factor * (i + 1) / 20 on average."""
  wobble = 1 + 0.1 * np.random.default_rng(0).normal(size=(50, 1))
  return {
    name: factor * wobble / wobble.mean() * [[(i + 1) / 20, i + 1]]
    for i, name in enumerate(metrics.SEQUENCES)
  }


def test_rates_are_means_of_ratios_to_the_reference():
  reference = {name: metrics.Flips(*own.mean(axis=0)) for name, own in _changes(0.5).items()}
  found = metrics.flip_rates(_changes(1), reference=reference).figures
  assert found["mfr"].value == pytest.approx(2, rel=1e-5)
  assert found["mt5d"].value == pytest.approx(2, rel=1e-5)
  assert found["mean"].value == pytest.approx(5.5 / 20, rel=1e-5)
  assert found["mean/top5"].value == pytest.approx(5.5, rel=1e-5)
  assert found["tilt"].value == pytest.approx(9 / 20, rel=1e-5)
  assert found["mfr"].low < 2 < found["mfr"].high


def test_a_ratio_to_one_sequence_is_not_the_ratio_of_means():
  reference = {name: metrics.Flips(0.5, 5.0) for name in metrics.SEQUENCES}
  reference["snow"] = metrics.Flips(0.05, 5.0)
  changes = _changes(1)
  expected = np.mean(
    [own[:, 0].mean() / reference[name].flip_probability for name, own in changes.items()]
  )
  found = metrics.flip_rates(changes, reference=reference).figures["mfr"].value
  assert found == pytest.approx(expected, rel=1e-5)


def test_what_is_missing_is_absent():
  changes = _changes(1)
  reference = {name: metrics.Flips(1, 1) for name in changes}
  assert "mfr" not in metrics.flip_rates(changes).figures
  still = reference | {"tilt": metrics.Flips(0, 1)}
  assert "mfr" not in metrics.flip_rates(changes, reference=still).figures
  del changes["scale"]
  found = metrics.flip_rates(changes, reference=reference)
  assert found.missing == ("scale",)
  assert not {"mean", "mfr", "mt5d", "scale"} & set(found.figures)


def test_records_become_one_table_of_the_images_that_all_sequences_have():
  def rows(perturbation, examples, flips, model="a"):
    shared = {"cell": model + perturbation, "model": model, "data": "d", "prompts": "simple"}
    label = np.zeros(len(examples), np.int32)
    names = ("label", "clean_prediction", "prediction", "forwards", "backwards")
    columns = {"example": examples, "flips": flips, "top5_distance": np.float32(flips) * 2}
    return records.table(
      shared | {"perturbation": perturbation}, columns | dict.fromkeys(names, label)
    )

  table = pa.concat_tables(
    [
      rows("sequence(tilt)", ["x", "y", "z"], [0.1, 0.2, 0.3]),
      rows("sequence(snow, difficulty=2)", ["z", "x"], [0.5, 0.4]),
      rows("sequence(snow)", ["x"], [0.9], model="b"),
    ]
  )
  found = metrics.changes_by_sequence(table, "a", "simple", "d")
  assert list(found) == ["tilt", "snow"]
  np.testing.assert_allclose(found["tilt"], [[0.1, 0.2], [0.3, 0.6]])
  np.testing.assert_allclose(found["snow"], [[0.4, 0.8], [0.5, 1.0]])
  assert metrics.changes_by_sequence(table, "a", None, "d") == {}


def test_a_reference_comes_from_a_file_or_is_refused_in_one_line(tmp_path):
  file = tmp_path / "alexnet.json"
  whole = {n: {"flip_probability": 0.2, "top5_distance": 1} for n in metrics.SEQUENCES}
  file.write_text(json.dumps(whole))
  assert metrics.read_flip_reference(file)["tilt"] == metrics.Flips(0.2, 1.0)
  for broken, message in (
    ("{", "it must be the name of a model of the run, or JSON like"),
    (json.dumps({"tilt": {"flip_probability": 1}}), "KeyError"),
    (json.dumps(whole | {"snow": {"flip_probability": 0, "top5_distance": 1}}), "snow is missing"),
  ):
    file.write_text(broken)
    with pytest.raises(errors.InputError, match=message):
      metrics.read_flip_reference(file)
  with pytest.raises(errors.InputError, match="FileNotFoundError"):
    metrics.read_flip_reference(tmp_path / "none.json")
