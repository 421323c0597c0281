"""A few images with captions, written in every form in which retrieval sets are published."""

import io
import json
import pathlib
import tarfile

import numpy as np
from PIL import Image

# By image, with what makes readers stumble: commas, six captions, a line feed, a line separator.
CAPTIONS = {
  "a1.jpg": ["Two dogs, one brown, run.", "A dog's toy.jpg, thrown"],
  "b2.jpg": ["A red bus", "Buses: three-or-four!", "a bus/tram", "bus 4", "bus 5", "bus 6"],
  "c3.jpg": ["A man\non a bench", "left\u2028right"],
}
TRAINING = {"z9.jpg": ["Nobody asks for this"]}
PLAIN = {name: [text for text in texts if "\n" not in text] for name, texts in CAPTIONS.items()}


def picture(name: str, side: int = 24) -> bytes:
  """A JPEG of its own for each name."""
  draw = np.random.default_rng(list(name.encode()))
  coarse = draw.integers(0, 256, (4, 4, 3), np.uint8)
  content = io.BytesIO()
  Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC).save(content, "JPEG")
  return content.getvalue()


def images(root: pathlib.Path, captions=CAPTIONS) -> pathlib.Path:
  """The folder of the images, also of one that no test has."""
  for name in (*captions, *TRAINING):
    root.mkdir(parents=True, exist_ok=True)
    (root / name).write_bytes(picture(name))
  return root


def shards(root: pathlib.Path, captions=CAPTIONS, said: int | None = None) -> pathlib.Path:
  """As on the hub; two shards, each with every other image, keys without suffix."""
  split = root / "test"
  split.mkdir(parents=True)
  (root / "dataset_type.txt").write_text("retrieval\n")
  (split / "nshards.txt").write_text(str(2 if said is None else said))
  for number in range(2):
    with tarfile.open(split / f"{number}.tar", "w") as archive:
      for name in list(captions)[number::2]:
        lines = "\n".join(text.replace("\n", "\\n") for text in captions[name])
        key = name.removesuffix(".jpg")
        for file, content in ((f"{key}.jpg", picture(name)), (f"{key}.txt", lines.encode())):
          info = tarfile.TarInfo(file)
          info.size = len(content)
          archive.addfile(info, io.BytesIO(content))
  return root


def albef(file: pathlib.Path, captions=CAPTIONS) -> pathlib.Path:
  """As ALBEF lists the images of a test."""
  rows = [{"image": f"val2014/{name}", "caption": texts} for name, texts in captions.items()]
  file.write_text(json.dumps(rows))
  return file


def karpathy(file: pathlib.Path, captions=CAPTIONS) -> pathlib.Path:
  """All splits in one file, among them `restval`."""
  splits = dict.fromkeys(captions, "test") | dict.fromkeys(TRAINING, "restval")
  rows = [
    {
      "filename": name,
      "filepath": "val2014",
      "split": splits[name],
      "cocoid": number,
      "sentences": [{"raw": text, "sentid": place} for place, text in enumerate(texts)],
    }
    for number, (name, texts) in enumerate({**TRAINING, **captions}.items())
  ]
  file.write_text(json.dumps({"dataset": "coco", "images": rows}))
  return file


def coco(file: pathlib.Path, captions=CAPTIONS) -> pathlib.Path:
  """As COCO has its captions; images that count are listed by their numbers."""
  every = {**TRAINING, **captions}
  numbers = {name: number for number, name in enumerate(every, start=100)}
  rows = [{"id": numbers[name], "file_name": name} for name in every]
  said = [
    {"image_id": numbers[name], "id": place, "caption": text}
    for name, texts in reversed(every.items())
    for place, text in enumerate(texts)
  ]
  file.write_text(json.dumps({"images": rows, "annotations": said}))
  file.with_suffix(".ids").write_text("".join(f"{numbers[name]}\n" for name in captions))
  return file


def flickr(file: pathlib.Path, captions=PLAIN) -> pathlib.Path:
  """As CLIP_benchmark takes Flickr's sets."""
  lines = [f"{name},{text}" for name, texts in captions.items() for text in texts]
  file.write_text("\n".join(["image,caption", *lines]) + "\n")
  return file


def token(file: pathlib.Path, captions=PLAIN) -> pathlib.Path:
  """Flickr30k's own, with images of all splits and a list of those that count."""
  lines = [
    f"{name}#{place}\t{text}"
    for name, texts in {**TRAINING, **captions}.items()
    for place, text in enumerate(texts)
  ]
  file.write_text("\n".join(lines))
  file.with_suffix(".names").write_text("\n".join(name.removesuffix(".jpg") for name in captions))
  return file
