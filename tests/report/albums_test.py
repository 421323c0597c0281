"""Which clean picture stands beside what a model was given."""

import base64
import io

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from jaxbench.report import albums
from jaxbench.report.classifiers import Classifier

SMALL, LARGE = {"size": 4, "interpolation": "bicubic"}, {"size": 8, "interpolation": "bilinear"}
CONFIG = {"corruptions": {}, "attacks": {"quantize": True}}


def _png(size, level):
  buffer = io.BytesIO()
  Image.new("RGB", (size, size), (level,) * 3).save(buffer, "PNG")
  return buffer.getvalue()


def _rows(picture, prediction):
  columns = {"example": ["a", "b"], "picture": [picture, None]}
  labels = {"label": [0, 0], "clean_prediction": [0, 0], "prediction": [prediction, 0]}
  return pa.table(columns | labels)


def _cell(model, perturbation, preprocess, surrogate=None, setting=""):
  return {
    "id": f"{model} {perturbation} {setting}",
    "model": model,
    "prompts": None,
    "perturbation": perturbation,
    "kind": "transfer" if surrogate else "clean",
    "preprocess": preprocess,
    "surrogate": surrogate,
    "setting": setting,
  }


CELLS = [
  _cell("small", "clean", SMALL),
  _cell("large", "clean", LARGE),
  *(
    _cell(model, "transfer(mim, large)", LARGE, "large", setting)
    for setting in ("1/255", "4/255", "8/255")
    for model in ("small", "large")
  ),
]
# Each epsilon has its own grey.
ROWS = {
  cell["id"]: _rows(
    _png(cell["preprocess"]["size"], {"": 100, "1/255": 101, "4/255": 104}.get(cell["setting"], 0)),
    int(cell["model"] == "large" and cell["setting"] != ""),
  )
  for cell in CELLS
}


def _albums(by_cell):
  classifiers = [Classifier(name, None, True, "#0072b2", "-") for name in ("small", "large")]
  transferred = [cell for cell in CELLS if cell["surrogate"]]
  shown = albums.choose([], [], transferred, [], [], classifiers)
  return albums.albums(shown, CELLS, by_cell, ["zero", "one"], CONFIG)


def test_transferred_images_are_shown_once_as_the_surrogate_has_them():
  (album,) = _albums(ROWS)
  assert album.perturbation == "transfer(mim, large), epsilon 4/255"
  assert [one.name for one in album.classifiers] == ["small", "large"]
  assert album.exact
  (picture,) = album.pictures
  shown = [
    np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))))
    for url in (picture.clean, picture.perturbed)
  ]
  np.testing.assert_array_equal(shown[0], np.full((8, 8, 3), 100))
  np.testing.assert_array_equal(shown[1], np.full((8, 8, 3), 104))
  assert [verdict.perturbed for verdict in picture.verdicts] == ["zero", "one"]


@pytest.mark.parametrize("lost", ["large clean ", "small clean "])
def test_without_the_surrogates_clean_images_nothing_is_made_up(lost):
  left = {name: rows for name, rows in ROWS.items() if name != lost}
  assert len(_albums(left)) == (lost == "small clean ")
