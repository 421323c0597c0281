"""A few cases of probes of composition, in the forms in which they are published."""

import json
import pathlib

from references import captioned

IMAGES = ("a1.jpg", "b2.jpg", "c3.jpg")


def _said(kind: str, number: int) -> str:
  """Two sentences in turn, so that no model can prefer the right one always or never."""
  return f"{kind}: a {('dog above a cat', 'cat above a dog')[number % 2]}"


def sugarcrepe(root: pathlib.Path) -> pathlib.Path:
  """Two of its seven files; an index is missing, as in one of them."""
  root.mkdir(parents=True, exist_ok=True)
  for kind, keys in (("add_att", "012"), ("swap_obj", "02")):
    cases = {
      key: {
        "filename": IMAGES[int(key)],
        "caption": _said(kind, int(key)),
        "negative_caption": _said(kind, int(key) + 1),
      }
      for key in keys
    }
    (root / f"{kind}.json").write_text(json.dumps(cases))
  return root


def aro(file: pathlib.Path) -> pathlib.Path:
  """Boxes, and what is left of them; two relations."""
  cases = [
    {
      "image_id": number,
      "image_path": name,
      "bbox_x": 2,
      "bbox_y": 3,
      "bbox_w": 8,
      "bbox_h": 9,
      "relation_name": "on" if number else "left of",
      "true_caption": f"the cat is on {number}",
      "false_caption": f"{number} is on the cat",
    }
    for number, name in enumerate(IMAGES)
  ]
  file.write_text(json.dumps(cases))
  return file


def winoground(file: pathlib.Path) -> pathlib.Path:
  """Pairs of images and captions; the first two, and the last two."""
  lines = [
    {
      "id": number,
      "image_0": IMAGES[number],
      "image_1": IMAGES[number + 1],
      "caption_0": f"the dog bites the man {number}",
      "caption_1": f"the man bites the dog {number}",
      "tag": "Relation",
    }
    for number in range(2)
  ]
  file.write_text("\n".join(map(json.dumps, lines)))
  return file


def shuffled(file: pathlib.Path) -> pathlib.Path:
  """As of ARO's order sets: a shuffle that changes nothing is among the options."""
  cases = [
    {"image": name, "caption_options": ["a b c", "b a c", "c b a", "a b c", "c a b"]}
    for name in IMAGES
  ]
  file.write_text(json.dumps(cases))
  return file


def images(root: pathlib.Path) -> pathlib.Path:
  """Those that all have in common."""
  return captioned.images(root, dict.fromkeys(IMAGES))
