"""Videos: is a frame still right when its neighbours, a moment away, have to be right too?"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from jaxbench import errors
from jaxbench.metrics.accuracy import Proportion, proportion


class VideoAccuracy(NamedTuple):
  """Accuracy on anchor frames (Shankar et al., 2019, arXiv:1906.02168, section 3)."""

  anchors: int
  benign: Proportion  # The anchor is right.
  pm_k: Proportion  # The anchor and all its neighbours are right.


def pm_k(anchor: ArrayLike, offset: ArrayLike, correct: ArrayLike, *, k: int = 10) -> VideoAccuracy:
  """Accuracy on anchor frames, and where the worst of the neighbours decides.

  An anchor without neighbours counts by itself.

  Args:
    anchor: [N], the id of each frame's anchor: an array, or a column of records, as all three.
    offset: [N] int, frames from the anchor, which itself has 0.
    correct: [N] bool, as `is_correct` has it.
    k: the most frames a neighbour is away, on either side.

  Raises:
    InputError: an anchor has no frame of its own, or several; or there are no frames.
  """
  names, offsets, hits = (np.asarray(column) for column in (anchor, offset, correct))
  near = np.abs(offsets) <= k
  anchors, groups = np.unique(names[near], return_inverse=True)
  frames = np.bincount(groups[offsets[near] == 0], minlength=len(anchors))
  if not len(anchors):
    raise errors.InputError("there are no frames")
  if (frames != 1).any():
    row = int((frames != 1).argmax())
    raise errors.InputError(f"anchor {anchors[row]} has {frames[row]} frames of its own, not one")
  wrong = np.bincount(groups[~hits[near]], minlength=len(anchors))
  right = int(hits[offsets == 0].sum())
  total = len(anchors)
  return VideoAccuracy(total, proportion(right, total), proportion(int((wrong == 0).sum()), total))
