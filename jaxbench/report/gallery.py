"""Pictures of what was judged: clean, perturbed, and their difference made visible."""

import base64
import io
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image


class Picture(NamedTuple):
  """One example under one perturbation. Images are data URLs of PNGs, 8 bits per channel."""

  example: str
  label: str
  clean_prediction: str
  prediction: str
  clean: str
  perturbed: str
  difference: str
  factor: int  # By which the difference is multiplied; grey is none.


def pictures(rows: pa.Table, cell: str, clean_cell: str, class_names: list[str]) -> list[Picture]:
  """The examples of `cell` whose pictures were kept; empty if none were."""
  clean = {row["example"]: row["picture"] for row in _pictured(rows, clean_cell)}
  result = []
  for row in _pictured(rows, cell):
    before, after = _pixels(clean[row["example"]]), _pixels(row["picture"])
    difference, factor = magnify(before, after)
    result.append(
      Picture(
        example=row["example"],
        label=class_names[row["label"]],
        clean_prediction=class_names[row["clean_prediction"]],
        prediction=class_names[row["prediction"]],
        clean=_data_url(clean[row["example"]]),
        perturbed=_data_url(row["picture"]),
        difference=_data_url(difference),
        factor=factor,
      )
    )
  return result


def magnify(before: np.ndarray, after: np.ndarray) -> tuple[bytes, int]:
  """PNG of grey plus the difference times the largest whole factor that fits, and that factor."""
  difference = after - before
  factor = max(1, 127 // max(1, int(np.abs(difference).max())))
  visible = np.clip(128 + factor * difference, 0, 255).astype(np.uint8)
  buffer = io.BytesIO()
  Image.fromarray(visible).save(buffer, "PNG")
  return buffer.getvalue(), factor


def _pictured(rows: pa.Table, cell: str) -> list[dict]:
  chosen = pc.and_(pc.equal(rows["cell"].cast(pa.string()), cell), pc.is_valid(rows["picture"]))
  return rows.filter(chosen).to_pylist()


def _pixels(png: bytes) -> np.ndarray:
  return np.asarray(Image.open(io.BytesIO(png)), np.int32)


def _data_url(png: bytes) -> str:
  return f"data:image/png;base64,{base64.b64encode(png).decode()}"
