"""ImageNet-P as it was published: a short video of each validation image, for each perturbation."""

import contextlib
import functools
import hashlib
import json
import pathlib
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from jaxbench import errors
from jaxbench.data import image_files, imagenet
from jaxbench.data.decode import BadImage
from jaxbench.data.disk_cache import remember, remembered
from jaxbench.data.label_space import LabelSpace
from jaxbench.data.source import Example, Frame, Source

# The ten that count in the mean flip rate, and those for validation; noise in three strengths.
_NOISE = ("gaussian_noise", "shot_noise", "speckle_noise")
PERTURBATIONS = (
  *("gaussian_noise", "shot_noise", "motion_blur", "zoom_blur", "snow", "brightness"),
  *("translate", "rotate", "tilt", "scale"),
  *("speckle_noise", "gaussian_blur", "spatter", "shear"),
  *(f"{name}_{strength}" for name in _NOISE for strength in (2, 3)),
)


class Sequences(Source):
  """All frames of the videos of one perturbation: a `Source` (Hendrycks & Dietterich, 2019).

  The anchor of a sequence is its first frame. Reference: arXiv:1903.12261, section 3.3.

  Args:
    path: a folder of `<wnid>/<image>.mp4`.
    space: ImageNet's classes.

  Raises:
    InputError: there are no videos, a folder is no class, a video is broken, or PyAV is missing.
  """

  def __init__(self, path: pathlib.Path, space: LabelSpace):
    self.label_space, self.class_names = space, space.class_names
    files = [file for file in sorted(path.glob("*/*")) if file.is_file()]
    self._videos = [file for file in files if file.suffix == ".mp4"]
    self.left_out = image_files.count(file.suffix for file in files if file.suffix != ".mp4")
    if not self._videos:
      raise errors.InputError(f"{path} holds no videos (<wnid>/*.mp4)")
    self._places: list[tuple[int, int]] = []  # Of each frame: its video, its number there.
    self.ids: list[str] = []
    self.labels: list[int] = []
    self.frames: list[Frame] = []
    labels = {wnid: label for label, wnid in enumerate(imagenet.wnids())}
    for video, count in enumerate(self._counts()):
      file = self._videos[video]
      if (label := labels.get(file.parent.name)) is None:
        raise errors.InputError(f"{file} is not in a folder of an ImageNet class (wnid)")
      names = [f"{file.parent.name}/{file.stem}/{number:03d}" for number in range(count)]
      self.ids += names
      self.labels += [label] * count
      self.frames += [Frame(names[0], number, (label,)) for number in range(count)]
      self._places += [(video, number) for number in range(count)]

  @functools.cached_property
  def sha256(self) -> str:
    """A hash of the names and contents of the videos."""
    contents = remember("content1", self._stamp(), lambda: _hash_videos(self._videos))
    return self._hash(self._videos, contents)

  def sha256_of(self, indices: Sequence[int], *, read: bool = True) -> str:
    """The hash of the videos of some frames alone; without `read`, "" where that is not known."""
    if not read and remembered("content1", self._stamp()) is None:
      return ""
    contents = self._contents(indices)
    return self._hash([self._videos[place] for place in contents], list(contents.values()))

  def image_hashes(self, indices: Sequence[int]) -> list[str | None]:
    """The SHA-256 of the video of each of some frames."""
    contents = self._contents(indices)
    return [contents[self._places[index][0]] for index in indices]

  def _contents(self, indices: Sequence[int]) -> dict[int, str]:
    """Hashes of the videos of some frames, by their places."""
    places = sorted({self._places[index][0] for index in indices})
    if (whole := remembered("content1", self._stamp())) is not None:
      return {place: whole[place] for place in places}
    contents = _hash_videos([self._videos[place] for place in places])
    return dict(zip(places, contents, strict=True))

  def _hash(self, videos: Sequence[pathlib.Path], contents: Sequence[str]) -> str:
    names = [f"{file.parent.name}/{file.name}" for file in videos]
    return hashlib.sha256(json.dumps([names, contents]).encode()).hexdigest()

  def __getitem__(self, index: int) -> Example:
    """The frame `ids[index]`; a video is decoded once if its frames are read in order.

    Raises:
      BadImage: it cannot be read.
    """
    video, number = self._places[index]
    with _READING:  # Or every thread would decode the video that all of them wait for.
      frames = _decode(self._videos[video])
    if number >= len(frames):
      raise BadImage(f"{self._videos[video]} ends before its frame {number}")
    return Example(frames[number], self.labels[index])

  def _counts(self) -> list[int]:
    """How many frames each video has."""
    return remember("frames1", self._stamp(), lambda: [_count(file) for file in self._videos])

  def _stamp(self) -> list[Any]:
    return [image_files.stamp(file) for file in self._videos]


def _hash_videos(videos: Sequence[pathlib.Path]) -> list[str]:
  return [hashlib.sha256(file.read_bytes()).hexdigest() for file in videos]


_READING = threading.Lock()


@functools.lru_cache(maxsize=4)
def _decode(file: pathlib.Path) -> tuple[np.ndarray, ...]:
  """All frames, uint8 [h, w, 3]."""
  with _opened(file) as video:
    return tuple(frame.to_ndarray(format="rgb24") for frame in video.decode(video=0))


def _count(file: pathlib.Path) -> int:
  """Frames, which an MP4 file tells without being decoded."""
  with _opened(file) as video:
    return video.streams.video[0].frames


@contextlib.contextmanager
def _opened(file: pathlib.Path) -> Iterator[Any]:
  try:
    import av  # Optional.
  except ImportError as error:
    raise errors.InputError(f"{file}: videos need PyAV; pip install jaxbench[video]") from error
  try:
    with av.open(str(file)) as video:
      yield video
  except (av.FFmpegError, OSError) as error:
    raise BadImage(f"{file} is not a whole video: {error}") from error
