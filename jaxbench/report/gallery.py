"""Pictures of what was judged: clean, perturbed, and their difference made visible."""

import base64
import io
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image


class Verdict(NamedTuple):
  """What one classifier says of an example."""

  classifier: str
  clean: str
  perturbed: str


class Picture(NamedTuple):
  """One example under one perturbation. Images are data URLs of PNGs, 8 bits per channel."""

  example: str
  label: str
  verdicts: list[Verdict]
  clean: str
  perturbed: str
  difference: str
  factor: int  # By which the difference is multiplied; grey is none.
  psnr: float | None  # In decibels; this and what follows: None where it was not measured.
  ssim: float | None

  @property
  def size(self) -> int:
    """Characters on the page."""
    return len(self.clean) + len(self.perturbed) + len(self.difference)


def pictures(
  perturbed: pa.Table, clean: pa.Table, class_names: list[str], classifier: str
) -> list[Picture]:
  """The examples of a cell whose pictures were kept, beside its clean ones; empty if none were."""
  plain = {row["example"]: row["picture"] for row in _pictured(clean)}
  result = []
  for row in _pictured(perturbed):
    if row["example"] not in plain:
      continue
    before, after = _pixels(plain[row["example"]]), _pixels(row["picture"])
    difference, factor = magnify(before, after)
    result.append(
      Picture(
        example=row["example"],
        label=class_names[row["label"]],
        verdicts=[
          Verdict(classifier, class_names[row["clean_prediction"]], class_names[row["prediction"]])
        ],
        clean=_data_url(plain[row["example"]]),
        perturbed=_data_url(row["picture"]),
        difference=_data_url(difference),
        factor=factor,
        psnr=row.get("psnr"),
        ssim=row.get("ssim"),
      )
    )
  return result


def merge(picture: Picture, other: Picture) -> Picture:
  """The same image, with what both have to say of it."""
  return picture._replace(verdicts=[*picture.verdicts, *other.verdicts])


def magnify(before: np.ndarray, after: np.ndarray) -> tuple[bytes, int]:
  """PNG of grey plus the difference times the largest whole factor that fits, and that factor."""
  difference = after - before
  factor = max(1, 127 // max(1, int(np.abs(difference).max())))
  visible = np.clip(128 + factor * difference, 0, 255).astype(np.uint8)
  buffer = io.BytesIO()
  Image.fromarray(visible).save(buffer, "PNG")
  return buffer.getvalue(), factor


def _pictured(rows: pa.Table) -> list[dict]:
  return rows.filter(pc.is_valid(rows["picture"])).to_pylist()


def _pixels(png: bytes) -> np.ndarray:
  return np.asarray(Image.open(io.BytesIO(png)), np.int32)


def _data_url(png: bytes) -> str:
  return f"data:image/png;base64,{base64.b64encode(png).decode()}"
