"""ImageNet-Vid-Robust and YTBB-Robust: frames of videos, and their near neighbours.

Reference: Shankar et al., 2019 (arXiv:1906.02168). A frame counts as right if the prediction is one
of its labels; the first of them is the label of the example.
"""

import functools
import gzip
import json
import pathlib
from collections.abc import Mapping
from typing import Any

from jaxbench import errors, tables
from jaxbench.data.annotated import Annotated
from jaxbench.data.folder import folder
from jaxbench.data.label_space import LabelSpace
from jaxbench.data.source import Frame

# What a reviewer may have said against a neighbour.
_AGAINST = {
  *("dissimilar", "problematic", "incorrect", "dont know", "deformation"),
  *("background-change", "occlusion-increased", "blur-increase", "bad-anchor"),
}
_NEAR = 10  # Frames on either side.


def vid_robust(path: pathlib.Path, space: LabelSpace) -> Annotated:
  """ImageNet-Vid-Robust: 1,109 anchors; each neighbour has its own labels.

  Args:
    path: the folder `imagenet-vid-robust`, with `val/<video>/<frame>.JPEG`.
    space: its 30 classes.

  Raises:
    InputError: there are no such frames, or some of a video are missing.
  """
  return _annotated(path, "val", space, _vid_frames())


def ytbb_robust(path: pathlib.Path, space: LabelSpace) -> Annotated:
  """YTBB-Robust: anchors, and those neighbours that reviewers found similar, with its labels.

  Which these are says `pmk_labels.json`, which is looked for in the folder and its `metadata`.
  Without it there are only anchors, those included that it would rule out.

  Args:
    path: the folder `ytbb-robust`, with `ytbb_videos/<video>_<time>/frame-<number>.jpg`.
    space: its 24 classes.

  Raises:
    InputError: there are no such frames, some of a video are missing, or the reviews cannot be
      read.
  """
  anchors: dict[str, list[int]] = _read("ytbb_anchor_labels.json.gz")
  reviews = [path / "pmk_labels.json", path / "metadata" / "pmk_labels.json"]
  reviewed = next((file for file in reviews if file.is_file()), None)
  frames = {name: Frame(name, 0, tuple(labels)) for name, labels in anchors.items()}
  if reviewed is not None:
    frames = _with_neighbours(frames, _reviews(reviewed))
  return _annotated(path, "ytbb_videos", space, frames)


def _annotated(
  path: pathlib.Path, under: str, space: LabelSpace, frames: Mapping[str, Frame]
) -> Annotated:
  """Of those videos that are there."""
  labels = {str(label): label for label in range(len(space.class_names))}

  def key(name: str) -> str:
    return "/".join(name.split("/")[-2:])

  def class_of(name: str) -> str | None:
    frame = frames.get(key(name))
    return None if frame is None else str(frame.labels[0])

  source = folder(path, space.class_names, labels=labels, class_of=class_of, id_of=key, under=under)
  present = set(source.ids)
  for name, frame in frames.items():
    if name not in present and frame.anchor in present:
      raise errors.InputError(f"{path} lacks the frame {under}/{name}; copy it again")
    if name in present and frame.anchor not in present:
      raise errors.InputError(f"{path} lacks the frame {under}/{frame.anchor}; copy it again")
  return Annotated(source, space, frames=[frames[name] for name in source.ids])


@functools.cache
def _vid_frames() -> dict[str, Frame]:
  frames = {}
  for entry in _read("vid_robust_pmsets.json.gz"):
    anchor = f"{entry['video']}/{entry['anchor']:06d}.JPEG"
    others = entry.get("frame_labels", {})
    for offset in (0, *entry["offsets"]):
      labels = others.get(str(offset), entry["labels"])
      name = f"{entry['video']}/{entry['anchor'] + offset:06d}.JPEG"
      frames[name] = Frame(anchor, offset, tuple(labels))
  return frames


def _with_neighbours(
  anchors: Mapping[str, Frame], reviews: Mapping[tuple[str, str], set[str]]
) -> dict[str, Frame]:
  """Anchors that nobody found bad, and their neighbours that somebody found good."""
  bad = {anchor for (anchor, _), said in reviews.items() if "bad-anchor" in said}
  frames = {name: frame for name, frame in anchors.items() if name not in bad}
  for (anchor, name), said in reviews.items():
    offset = _number(name) - _number(anchor)
    if anchor in frames and 0 < abs(offset) <= _NEAR and "similar" in said and not said & _AGAINST:
      frames[name] = Frame(anchor, offset, frames[anchor].labels)
  return frames


def _number(frame: str) -> int:
  """1117 of KxDh7a8_AmU_44666/frame-1117.jpg."""
  return int(frame.rpartition("-")[2].partition(".")[0])


def _reviews(file: pathlib.Path) -> dict[tuple[str, str], set[str]]:
  """What was said of each pair of anchor and neighbour, the last time that it was reviewed."""
  try:
    content = json.loads(file.read_text())
    names = content["labels"]
    return {
      _pair(review["key"]): {names[label] for label in review["labels"]}
      for review in content["annotations"]
    }
  except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
    raise errors.InputError(f"{file} is not the pmk_labels.json of YTBB-Robust: {error}") from error


def _pair(key: str) -> tuple[str, str]:
  anchor, neighbour = ("/".join(name.split("/")[-2:]) for name in key.split(","))
  return anchor, neighbour


def _read(table: str) -> Any:
  return json.loads(gzip.decompress(tables.path(table).read_bytes()))
