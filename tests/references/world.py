"""A miniature of what people have on their disks: every natural shift, a few images of each.

The images are JPEGs cut from scikit-learn's photographs; folders, file names and metadata are those
of the real sets. What a model says of each is known when it gets its label, so the numbers of a run
can be told beforehand.
"""

import gzip
import io
import json
import pathlib
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import tensorflow_datasets
from PIL import Image
from scipy import special as functions
from sklearn import datasets

from jaxbench import tables

Groups = Sequence[Sequence[int]]
WNIDS = json.loads(tables.path("imagenet1k_wnids.json").read_text())
ALL = [[label] for label in range(1000)]
A, R = (
  [[label] for label in json.loads(tables.path("imagenet_a_r_classes.json").read_text())[name]]
  for name in ("imagenet_a", "imagenet_r")
)
OUTLIERS = [[label] for label in json.loads(tables.path("imagenet_o_classes.json").read_text())]
OBJECTNET = json.loads(tables.path("objectnet_113_to_imagenet.json").read_text())
SHAPES = json.loads(tables.path("human16_to_imagenet.json").read_text())


def superclasses(table: str, count: int) -> Groups:
  """The groups of a video set."""
  found = json.loads(tables.path(table).read_text())
  return [found.get(str(row), []) for row in range(count)]


VID = superclasses("vid_robust_superclass_to_imagenet.json", 30)
YTBB = superclasses("ytbb_robust_superclass_to_imagenet.json", 24)


class Photographs:
  """JPEGs and what a model of ImageNet's classes says of them.

  Args:
    logits: from images as the model wants them, uint8 [N, S, S, 3], to [N, 1000].
    preprocess: from a picture to such an image.
  """

  def __init__(self, logits: Callable, preprocess: Callable, count: int = 120):
    photographs = datasets.load_sample_images().images
    draw = np.random.default_rng(0)
    self.contents = [_cut(photographs[number % 2], draw) for number in range(count)]
    self.pictures = [Image.open(io.BytesIO(content)) for content in self.contents]
    self.logits = np.asarray(logits(np.stack([preprocess(one) for one in self.pictures])))

  def answers(self, groups: Groups) -> np.ndarray:
    """The class of each photograph [N]: that with the largest logit."""
    kept = [row for row, group in enumerate(groups) if group]
    best = np.stack([self.logits[:, list(groups[row])].max(axis=1) for row in kept], axis=1)
    return np.array(kept)[best.argmax(axis=1)]

  def probable(self, groups: Groups) -> np.ndarray:
    """The class of each photograph [N]: that whose members are the likeliest, on average."""
    shares = functions.softmax(self.logits.astype(np.float64), axis=1)
    return np.stack([shares[:, list(group)].mean(axis=1) for group in groups], axis=1).argmax(1)

  def labelled(self, answers: np.ndarray, classes: int = 3) -> list[tuple[int, int]]:
    """Photographs with a label: of each class at most two that are right, and one that is wrong."""
    found: list[tuple[int, int]] = []
    free = set(range(len(answers)))
    for label in np.unique(answers)[:classes].tolist():
      right = [row for row in sorted(free) if answers[row] == label][:2]
      wrong = [row for row in sorted(free) if answers[row] != label][:1]
      free -= {*right, *wrong}
      found += [(row, label) for row in right + wrong]
    return found


def _cut(photograph: np.ndarray, draw: np.random.Generator) -> bytes:
  height, width = draw.integers(40, 72, 2)
  top = draw.integers(0, photograph.shape[0] - height)
  left = draw.integers(0, photograph.shape[1] - width)
  content = io.BytesIO()
  part = photograph[top : top + height, left : left + width]
  Image.fromarray(part).save(content, "JPEG", quality=90)
  return content.getvalue()


def _write(file: pathlib.Path, content: bytes) -> None:
  file.parent.mkdir(parents=True, exist_ok=True)
  file.write_bytes(content)


def _png(picture: Image.Image, border: int = 0) -> bytes:
  size = (picture.width + 2 * border, picture.height + 2 * border)
  framed = Image.new("RGB", size, (255, 0, 0))
  framed.paste(picture, (border, border))
  content = io.BytesIO()
  framed.save(content, "PNG")
  return content.getvalue()


def write(root: pathlib.Path, some: Photographs) -> dict[str, float]:
  """All sets below `root`; returns the accuracy of the model on each, and "pm" of the videos."""
  expected = _imagenet(root, some)
  by_class = {
    "imagenetv2-matched-frequency": (
      "imagenetv2-matched-frequency-format-val/{label}/{n}.jpeg",
      ALL,
    ),
    "imagenet-a": ("imagenet-a/{wnid}/0.0{n}_fox _ fox_0.9.jpg", A),
    "imagenet-r": ("imagenet-r/{wnid}/art_{n}.jpg", R),
    "imagenet-sketch": ("sketch/{wnid}/sketch_{n}.JPEG", ALL),
    "stylized-imagenet": ("stylized-imagenet/val/{wnid}/{n}.png", ALL),
    "imagenet-c/fog/3": ("imagenet-c/weather/fog/3/{wnid}/ILSVRC2012_val_{n:08d}.JPEG", ALL),
  }
  for name, (path, groups) in by_class.items():
    answers = some.answers(groups)
    rows = some.labelled(answers)
    for n, (row, label) in enumerate(rows, start=1):
      file = path.format(n=n, label=groups[label][0], wnid=WNIDS[groups[label][0]])
      content = _png(some.pictures[row]) if file.endswith("png") else some.contents[row]
      _write(root / file, content)
    expected[name] = _share(answers[row] == label for row, label in rows)
  for special in (_objectnet, _cue_conflict, _vid, _ytbb):
    expected |= special(root, some)
  return expected


def _share(verdicts: Iterable[bool]) -> float:
  return float(np.mean(list(verdicts)))


def _imagenet(root: pathlib.Path, some: Photographs) -> dict[str, float]:
  """Flat, as in the archive: labels hang on the numbers in the names."""
  package = pathlib.Path(tensorflow_datasets.__file__).parent
  wnids = (package / "datasets/imagenet2012/validation_labels.txt").read_text().split()
  numbers: dict[str, list[int]] = {}
  for number, wnid in enumerate(wnids, start=1):
    numbers.setdefault(wnid, []).append(number)
  rows = some.labelled(some.answers(ALL))
  others = {"imagenet-a": A, "imagenet-r": R, "imagenet-vid-robust": VID, "ytbb-robust": YTBB}
  others["objectnet"] = [row["imagenet_indices"] for row in OBJECTNET]
  for groups in others.values():
    rows += [(row, groups[label][-1]) for row, label in some.labelled(some.answers(groups), 2)]
  others["imagenet-o"] = OUTLIERS
  for row, label in rows:
    number = numbers[WNIDS[label]].pop(0)
    _write(root / f"imagenet/val/ILSVRC2012_val_{number:08d}.JPEG", some.contents[row])
  expected = {"imagenet": _share(some.answers(ALL)[row] == label for row, label in rows)}
  for name, groups in others.items():
    owner = {label: k for k, group in enumerate(groups) for label in group}
    expected[f"imagenet-on-{name}"] = _share(
      some.answers(groups)[row] == owner[label] for row, label in rows if label in owner
    )
  return expected


def _objectnet(root: pathlib.Path, some: Photographs) -> dict[str, float]:
  """With a red border of two pixels, and with a class that ImageNet lacks."""
  answers = some.answers([row["imagenet_indices"] for row in OBJECTNET])
  rows = some.labelled(answers)
  for n, (row, label) in enumerate(rows):
    file = root / "objectnet-1.0/images" / OBJECTNET[label]["folder"] / f"{n:04x}.png"
    _write(file, _png(some.pictures[row], border=2))
  _write(root / "objectnet-1.0/images/squeegee/ffff.png", _png(some.pictures[0], border=2))
  return {"objectnet": _share(answers[row] == label for row, label in rows)}


def _cue_conflict(root: pathlib.Path, some: Photographs) -> dict[str, float]:
  """Every image has the texture of the class after its shape's; the last has that of its shape."""
  names, answers = list(SHAPES), some.probable(list(SHAPES.values()))
  rows = some.labelled(answers)
  by_shape = by_texture = 0
  for n, (row, label) in enumerate(rows, start=1):
    answer = int(answers[row])
    texture = label if n == len(rows) else (label + 1) % 16 if answer == label else answer
    file = f"cue-conflict/{names[label]}/{names[label]}{n}-{names[texture]}{n}.png"
    _write(root / file, _png(some.pictures[row]))
    by_shape += texture != label and answers[row] == label
    by_texture += texture != label and answers[row] == texture
  accuracy = _share(answers[row] == label for row, label in rows)
  return {"cue-conflict": accuracy, "shape bias": by_shape / (by_shape + by_texture)}


def _vid(root: pathlib.Path, some: Photographs) -> dict[str, float]:
  """Four videos: all right, one neighbour wrong, the anchor wrong, and one of several labels."""
  sets = json.loads(gzip.decompress(tables.path("vid_robust_pmsets.json.gz").read_bytes()))
  answers = some.answers(VID)
  seen = set(answers.tolist())
  plain = [one for one in sets if seen & set(one["labels"]) and "frame_labels" not in one]
  several = [one for one in sets if seen & set(one["labels"]) and len(one["labels"]) > 1]
  videos = [*plain[:3], several[0]]
  wrong_at = [None, plain[1]["offsets"][-1], 0, None]
  for one, wrong in zip(videos, wrong_at, strict=True):
    for offset in (0, *one["offsets"]):
      labels = one.get("frame_labels", {}).get(str(offset), one["labels"])
      row = next(i for i, a in enumerate(answers) if (a in labels) != (offset == wrong))
      name = f"imagenet-vid-robust/val/{one['video']}/{one['anchor'] + offset:06d}.JPEG"
      _write(root / "imagenet_vid_ytbb_robust" / name, some.contents[row])
  stranger = f"{videos[0]['video']}/999999.JPEG"  # Not a neighbour of the anchor.
  file = root / "imagenet_vid_ytbb_robust/imagenet-vid-robust/val" / stranger
  _write(file, some.contents[0])
  return {"imagenet-vid-robust": 3 / 4, "imagenet-vid-robust pm": 2 / 4}


def _ytbb(root: pathlib.Path, some: Photographs) -> dict[str, float]:
  """Four anchors, one of which reviewers rule out; its labels are those of its neighbours."""
  anchors = json.loads(gzip.decompress(tables.path("ytbb_anchor_labels.json.gz").read_bytes()))
  answers = some.answers(YTBB)
  seen = set(answers.tolist())
  chosen = [name for name, labels in anchors.items() if seen & set(labels)][:4]
  said = ["similar", "blur-increase", "bad-anchor", "correct"]
  annotations = []
  top = root / "imagenet_vid_ytbb_robust/ytbb-robust"
  # Of each anchor: whether it is right, and its neighbours: right or not, and the review.
  stories: list[tuple[bool, list[tuple[bool, list[int]]]]] = [
    (True, [(True, [0]), (True, [0, 3])]),
    (True, [(False, [0]), (True, [0])]),
    (True, [(False, [0, 1]), (False, [3])]),  # Neighbours that do not count.
    (True, [(True, [2])]),
  ]
  for name, (right, neighbours) in zip(chosen, stories, strict=True):
    folder, _, number = name.removesuffix(".jpg").partition("/frame-")
    for offset, (good, review) in enumerate([(right, []), *neighbours]):
      row = next(i for i, a in enumerate(answers) if (a in anchors[name]) == good)
      frame = f"{folder}/frame-{int(number) + offset}.jpg"
      _write(top / "ytbb_videos" / frame, some.contents[row])
      if offset:
        annotations.append({"key": f"ytbb_videos/{name},ytbb_videos/{frame}", "labels": review})
  reviews = {"labels": said, "annotations": annotations}
  _write(top / "metadata/pmk_labels.json", json.dumps(reviews).encode())
  return {"ytbb-robust": 3 / 3, "ytbb-robust pm": 2 / 3}
