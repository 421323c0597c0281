"""Planted copies, thresholds and what a person sees of them, through the real command line."""

import io
import re

import numpy as np
import pytest
from PIL import Image, ImageOps
from references import command

from jaxbench import data, errors, models, overlap
from jaxbench.overlap import calibrate

IMAGES, KINDS = 24, tuple(overlap.KINDS)

# A copy detector of a few lines: how much of an image has which colour, wherever.
ENCODER = """
import jax, jax.numpy as jnp
from jaxbench import models, overlap

def histogram(centres, images):
  pixels = images.reshape(len(images), -1, 1, 3)
  distance = jnp.square(pixels - centres[None, None]).sum(axis=-1)
  return jnp.sqrt(jax.nn.softmax(-400 * distance).mean(axis=1)).astype(jnp.float32)

def get_encoder():
  axis = jnp.linspace(0.0, 1.0, 5)
  centres = jnp.stack(jnp.meshgrid(axis, axis, axis), axis=-1).reshape(-1, 3)
  encode = jax.tree_util.Partial(histogram, centres)
  return overlap.Encoder("histogram", encode, models.Preprocess(32), copies=True)
"""


def _photograph(draw):
  """Smooth, in two colours of its own: uint8 [64, 48, 3]."""
  coarse = draw.random((6, 5))
  smooth = Image.fromarray((255 * coarse).astype(np.uint8)).resize((48, 64), Image.BICUBIC)
  mixture = np.asarray(smooth)[..., None] / 255
  colours = draw.integers(0, 256, (2, 3))
  return np.rint(mixture * colours[0] + (1 - mixture) * colours[1]).astype(np.uint8)


def _write(folder, images):
  for name, image in images.items():
    folder.joinpath(name).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(folder / name)


def _copied(kind, image):
  """By hand, not with what calibrates."""
  picture = Image.fromarray(image)
  if kind == "re-encoded":
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=70)
    return np.asarray(Image.open(buffer))
  if kind == "resized":
    return np.asarray(picture.resize((32, 40)))
  return image[5:-5, 3:-3] if kind == "cropped" else np.asarray(ImageOps.mirror(picture))


def _run(*arguments, status=0):
  return command.call("jaxbench.overlap", *arguments, status=status)[status > 0]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
  """Photographs in two classes; a reference set with copies of the first eight among others."""
  root, draw = tmp_path_factory.mktemp("overlap"), np.random.default_rng(0)
  photographs = {f"{n % 2}/{n:02d}.png": _photograph(draw) for n in range(IMAGES)}
  twice = photographs | {"1/again.png": photographs["0/04.png"]}
  _write(root / "set", twice)
  names = sorted(photographs)[:8]
  copies = {
    f"0/{n}-{KINDS[n % 4]}.png": _copied(KINDS[n % 4], photographs[name])
    for n, name in enumerate(names)
  }
  _write(root / "web", copies | {f"0/other{n}.png": _photograph(draw) for n in range(60)})
  (root / "encoder.py").write_text(ENCODER)
  queries, out = f"--queries={root / 'embeddings'}", f"--out={root / 'out'}"
  encoder, photos = f"--model={root / 'encoder.py'}", f"--data={root / 'set'}"
  _run("embed", encoder, photos, f"--out={root / 'embeddings'}")
  colours = overlap.load_encoder(str(root / "encoder.py"))
  overlap.embed(colours, {"web": data.load(str(root / "web"))}, root / "reference")
  _run("duplicates", queries, out)
  printed = _run("search", queries, f"--reference={root / 'reference'}", out)
  assert printed == f"matches: {root / 'out'}/matches.parquet (exact)\n"
  overlap.write_pairs(root / "out", {str(root / "set"): data.load(str(root / "set"))})
  return root, dict(zip(names, copies, strict=True))


def test_all_planted_copies_are_found_and_nothing_else(made):
  root, copies = made
  thresholds = overlap.read_duplicates(root / "out").thresholds("embedding")
  matches, _ = overlap.read_search(root / "out")
  found = {
    row["example"]: row["reference"]
    for row in matches.to_pylist()
    if row["rank"] == 0 and row["similarity"] >= thresholds[row["data"]]
  }
  doubled = {"1/again.png": copies["0/04.png"]} if "0/04.png" in copies else {}
  assert found == copies | doubled


def test_thresholds_keep_the_precision_that_they_state(made):
  root, _ = made
  lines = overlap.read_duplicates(root / "out").calibration.to_pylist()
  assert {(line["detector"], line["asked"]) for line in lines} == {
    (detector, asked)
    for detector in ("perceptual", "embedding")
    for asked in (0.9, 0.95, 0.99, 1.0)
  }
  for line in lines:
    assert line["precision"] >= line["asked"]
    assert line["copies"] == 4 * line["originals"] == 4 * IMAGES
    assert line["recall"] == pytest.approx(np.mean([line[kind] for kind in KINDS]))
  by_embedding = next(x for x in lines if (x["detector"], x["asked"]) == ("embedding", 0.9))
  assert by_embedding["recall"] == 1
  by_hash = next(x for x in lines if (x["detector"], x["asked"]) == ("perceptual", 0.9))
  assert min(by_hash["re-encoded"], by_hash["resized"]) > 0.9
  assert by_hash["mirrored"] < 0.2  # What pHash is known not to see.


def test_equal_pixels_are_found_by_all_detectors(made):
  root, _ = made
  pairs = overlap.read_duplicates(root / "out").pairs.to_pylist()
  found = {
    (row["detector"], frozenset((row["example"], row["other"])))
    for row in pairs
    if row["duplicate"]
  }
  same = frozenset(("0/04.png", "1/again.png"))
  assert {(detector, same) for detector in ("exact", "perceptual", "embedding")} <= found
  assert {pair for detector, pair in found if detector == "exact"} == {same}
  ends = [(r["detector"], frozenset((r["example"], r["other"]))) for r in pairs]
  assert len(set(ends)) == len(ends)


def test_the_page_shows_the_pairs_at_the_threshold(made):
  root, _ = made
  page = (root / "out" / "pairs.html").read_text()
  assert page.count("<h3>Below</h3>") == 3  # Two detectors within the set, one search.
  found = overlap.read_duplicates(root / "out")
  (limit,) = found.thresholds("embedding").values()
  section = page[page.index(f"{root / 'set'} and ") :]
  above, below = section.split("<h3>Below</h3>")
  similarities = [
    [float(x) for x in re.findall(r'data-similarity="([\d.]+)"', part)] for part in (above, below)
  ]
  matches = [r for r in overlap.read_search(root / "out")[0].to_pylist() if r["rank"] == 0]
  expected = sorted(row["similarity"] for row in matches)
  assert similarities[0] == [s for s in expected if s >= np.float32(limit)][:12]
  assert similarities[1] == [s for s in expected[::-1] if s < np.float32(limit)][:12]
  assert not [link for link in re.findall(r'(?:src|href)="(.*?)"', page) if link[:5] != "data:"]


def test_embeddings_lie_as_laion_has_them(made):
  root, _ = made
  vectors = np.load(root / "embeddings" / "img_emb" / "img_emb_0000.npy")
  assert vectors.dtype == np.float16
  assert vectors.shape == (IMAGES + 1, 125)
  np.testing.assert_allclose(np.linalg.norm(vectors.astype(float), axis=1), 1, atol=1e-3)
  found = overlap.read_embeddings(root / "embeddings")
  source = data.load(str(root / "set"))
  assert sorted(found.examples) == sorted(source.ids)
  space = {}
  exec(ENCODER, space)
  encoder = space["get_encoder"]()
  where = {name: row for row, name in enumerate(found.examples)}
  images = np.stack([encoder.preprocess(source[row].image) for row in range(len(source))])
  alone = np.asarray(encoder.encode(images.astype(np.float32) / 255))
  rows = [where[name] for name in source.ids]
  np.testing.assert_allclose(vectors[rows], alone, atol=1e-3)


def test_bad_input_is_one_line_and_status_2(made):
  err = _run("pairs", f"--queries={made[0] / 'set'}", "--out=x", status=2)
  (line,) = err.strip().splitlines()
  assert line.startswith("jaxbench.overlap: ")
  assert line.endswith("holds no embeddings; write them with: python -m jaxbench.overlap embed")


def test_another_encoder_or_another_set_is_refused(made, tmp_path):
  root, _ = made
  queries, name = overlap.read_embeddings(root / "embeddings"), str(root / "set")
  own, other = (overlap.load_encoder(x) for x in (str(root / "encoder.py"), "digits-clip"))
  with pytest.raises(errors.InputError, match="not what made these embeddings; embed anew"):
    overlap.find_duplicates(queries, other, {name: data.load(name)}, tmp_path)
  with pytest.raises(errors.InputError, match="is not what was embedded; embed anew"):
    overlap.find_duplicates(queries, own, {name: data.load("digits")}, tmp_path)
  with pytest.raises(errors.InputError, match="belongs to another data; name another folder"):
    overlap.embed(own, {name: data.load("digits")}, root / "embeddings")


def test_a_file_without_an_encoder_is_one_clear_line(tmp_path):
  with pytest.raises(errors.InputError, match=r"nowhere.py cannot be read: No such file"):
    overlap.load_encoder(str(tmp_path / "nowhere.py"))
  (tmp_path / "other.py").write_text("def get_encoder(): return 1")
  with pytest.raises(errors.InputError, match="must return a jaxbench"):
    overlap.load_encoder(str(tmp_path / "other.py"))


def test_a_precision_that_no_threshold_has_is_told_as_none():
  """Three originals that look the same to the detector, and a copy of each."""
  vectors = np.tile(np.eye(4, dtype=np.float32)[:1], (3, 1))
  (line,) = calibrate.thresholds(vectors, {"resized": vectors}, [0.9])
  assert line["threshold"] is line["recall"] is None


def test_calibration_is_what_counting_gives():
  draw = np.random.default_rng(1)
  originals = draw.normal(size=(40, 6))
  copies = {kind: originals + draw.normal(size=(40, 6)) * 0.4 for kind in ("cropped", "resized")}
  unit = lambda x: (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)  # noqa: E731
  originals, copies = unit(originals), {kind: unit(own) for kind, own in copies.items()}
  lines = calibrate.thresholds(originals, copies, [0.5, 0.8, 0.97])
  cosines = np.concatenate([own @ originals.T for own in copies.values()])
  right = np.tile(np.eye(40, dtype=bool), (2, 1))
  for line in lines:
    claimed = cosines >= np.float32(line["threshold"])
    assert (claimed & right).sum() / claimed.sum() == pytest.approx(line["precision"])
    assert (claimed & right).sum() / 80 == pytest.approx(line["recall"])
    lower = np.sort(cosines[right])[np.sort(cosines[right]) < np.float32(line["threshold"])]
    for threshold in lower:
      assert (right & (cosines >= threshold)).sum() / (cosines >= threshold).sum() < line["asked"]


def test_an_empty_set_is_refused(tmp_path):
  class Empty:
    class_names, ids, labels, sha256 = ("a",), (), (), "0"

    def __len__(self):
      return 0

  encoder = overlap.load_encoder("digits-clip")
  with pytest.raises(errors.InputError, match="data set nothing is empty"):
    overlap.embed(encoder, {"nothing": Empty()}, tmp_path)


def test_supervised_models_embed_what_their_last_layer_sees(scans):
  resnet = models.load("digits-resnet")
  encoder = overlap.load_encoder("digits-resnet")
  images = scans[0][:4]
  features = encoder.encode(images)
  logits = features @ resnet.fc.kernel[...] + resnet.fc.bias[...][None]
  np.testing.assert_allclose(logits, resnet(images), rtol=1e-4, atol=1e-4)
