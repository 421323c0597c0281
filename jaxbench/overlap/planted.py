"""Copies made of images on purpose, to see which detectors find them, and from where on."""

import dataclasses
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from jaxbench.metrics import proportion

_QUALITY = 60  # Of JPEG.
_KEPT = 0.8  # Of both sides of a crop, from the centre.


def _encoded_again(image: Image.Image) -> Image.Image:
  buffer = io.BytesIO()
  image.save(buffer, "JPEG", quality=_QUALITY)
  return Image.open(buffer).convert("RGB")


def _resized(image: Image.Image) -> Image.Image:
  return image.resize([max(1, side // 2) for side in image.size], Image.Resampling.BILINEAR)


def _cropped(image: Image.Image) -> Image.Image:
  width, height = image.size
  left, top = (round(side * (1 - _KEPT) / 2) for side in image.size)
  return image.crop((left, top, max(left + 1, width - left), max(top + 1, height - top)))


KINDS: dict[str, Callable[[Image.Image], Image.Image]] = {
  "re-encoded": _encoded_again,  # JPEG of quality 60.
  "resized": _resized,  # To half of both sides.
  "cropped": _cropped,  # To the central 80 % of both sides.
  "mirrored": ImageOps.mirror,  # Left to right.
}


@dataclasses.dataclass(frozen=True)
class Change:
  """Makes a copy of one kind, and hands it on: picklable."""

  kind: str  # Of KINDS.
  then: Callable[[np.ndarray], np.ndarray] = np.asarray

  def __call__(self, image: np.ndarray) -> np.ndarray:
    """uint8 [h, w, 3] -> what `then` makes of the copy."""
    return self.then(np.asarray(KINDS[self.kind](Image.fromarray(image))))


def calibrate(
  originals: np.ndarray, copies: Mapping[str, np.ndarray], precisions: Sequence[float]
) -> list[dict[str, Any]]:
  """For each precision the lowest threshold that keeps it, and how many copies are found there.

  Every copy is compared with every original; its own is the only right answer. Precision depends on
  how many originals there are, and real duplicates among them count as errors, so it is what a set
  of this size has at least.

  Args:
    originals: [N, D], unit vectors.
    copies: of each kind [N, D], the copy of each original.
    precisions: shares of right answers among those above a threshold.

  Returns:
    for each precision `asked`; `threshold`, None if there is none; `precision`; `recall` and its
    95 % interval `recall_low`, `recall_high`; `originals` and `copies`; and the recall of each kind
    by its name.
  """
  truths, lies = {}, []
  exact = originals.astype(np.float32)
  for kind, vectors in copies.items():
    cosines = vectors.astype(np.float32) @ exact.T
    truths[kind] = np.diagonal(cosines).copy()
    lies.append(cosines[~np.eye(len(cosines), dtype=bool)])
  right, wrong = np.sort(np.concatenate(list(truths.values()))), np.sort(np.concatenate(lies))
  claims = len(right) - np.searchsorted(right, right)
  errors = len(wrong) - np.searchsorted(wrong, right)
  known = {"originals": len(originals), "copies": len(right)}
  lines = []
  for asked in precisions:
    enough = np.flatnonzero(claims / (claims + errors) >= asked)
    threshold = float(right[enough[0]]) if len(enough) else None
    line: dict[str, Any] = known | {"asked": asked, "threshold": threshold, "precision": None}
    if threshold is not None:
      line["precision"] = float(claims[enough[0]] / (claims + errors)[enough[0]])
    line |= _recall({} if threshold is None else truths, threshold)
    lines.append(line)
  return lines


def _recall(truths: Mapping[str, np.ndarray], threshold: float | None) -> dict[str, float | None]:
  names = ("recall", "recall_low", "recall_high")
  if threshold is None:
    return dict.fromkeys((*names, *KINDS))
  found = {kind: own >= np.float32(threshold) for kind, own in truths.items()}
  total = np.concatenate(list(found.values()))
  share = proportion(int(total.sum()), len(total))
  return {
    **dict(zip(names, share, strict=True)),
    **{kind: float(own.mean()) for kind, own in found.items()},
  }
