"""ImageNet-P's videos, written by PyAV in colours that the codec keeps."""

import av
import numpy as np
import pytest

from jaxbench import data, errors

COLOURS = [(200, 30, 30), (30, 180, 30), (30, 30, 200), (120, 120, 120), (220, 220, 30)]


def _write(file, colours):
  file.parent.mkdir(parents=True, exist_ok=True)
  with av.open(str(file), "w") as video:
    stream = video.add_stream("mpeg4", rate=1)
    stream.width = stream.height = 32
    stream.pix_fmt, stream.bit_rate = "yuv420p", 4_000_000
    for colour in colours:
      pixels = np.full((32, 32, 3), colour, np.uint8)
      video.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
    video.mux(stream.encode())


@pytest.fixture
def root(tmp_path):
  folder = tmp_path / "imagenet-p/tilt"
  _write(folder / "n01443537/ILSVRC2012_val_00000236.mp4", COLOURS)
  _write(folder / "n01440764/ILSVRC2012_val_00000293.mp4", COLOURS[::-1])
  return tmp_path


def test_frames_come_in_order_in_rgb_with_their_first_as_anchor(root):
  source = data.load("imagenet-p/tilt", root)
  assert len(source) == 10
  assert source.labels == [0] * 5 + [1] * 5
  for index, (name, frame) in enumerate(zip(source.ids, source.frames, strict=True)):
    colour = COLOURS[::-1][index] if index < 5 else COLOURS[index - 5]
    image = source[index].image
    assert image.shape == (32, 32, 3)
    assert np.abs(image - np.array(colour, float)).max() <= 6
    assert frame.offset == index % 5
    assert frame.anchor == source.ids[index - index % 5]
    assert name.endswith(f"/{frame.offset:03d}")
  assert not data.has_several_labels(source)
  assert len(data.sample(source, 1)) == 5
  assert data.load("imagenet-p/tilt", root).sha256 == source.sha256


def test_broken_and_misplaced_videos_are_named(root):
  folder = root / "imagenet-p/tilt"
  (folder / "n01440764/ILSVRC2012_val_00000293.mp4").write_bytes(b"half a video")
  with pytest.raises(errors.InputError, match=r"00000293.mp4 is not a whole video"):
    data.load("imagenet-p/tilt", root)
  (folder / "n01440764/ILSVRC2012_val_00000293.mp4").unlink()
  _write(folder / "cats/1.mp4", COLOURS)
  with pytest.raises(errors.InputError, match="is not in a folder of an ImageNet class"):
    data.load("imagenet-p/tilt", root)
  (root / "imagenet-p/snow").mkdir()
  with pytest.raises(errors.InputError, match="holds no videos"):
    data.load("imagenet-p/snow", root)
