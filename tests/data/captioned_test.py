"""Retrieval sets in every form in which they are published."""

import json

import pytest
from references import captioned

from jaxbench import data, errors


def _said(pairs):
  found = {}
  for caption, owner in zip(pairs.captions, pairs.owners, strict=True):
    found.setdefault(pairs.source.ids[owner].removesuffix(".jpg"), []).append(caption)
  return found


def _plain(captions):
  return {name.removesuffix(".jpg"): texts for name, texts in captions.items()}


@pytest.fixture
def folder(tmp_path):
  return captioned.images(tmp_path / "images")


def _open(form, root, folder):
  if form == "shards":
    # Every reader of lines splits this caption in two; their published counts are of both halves.
    halves = captioned.CAPTIONS["c3.jpg"][:1] + captioned.CAPTIONS["c3.jpg"][1].split("\u2028")
    return data.retrieval(captioned.shards(root)), captioned.CAPTIONS | {"c3.jpg": halves}
  if form in ("coco", "token"):
    file = getattr(captioned, form)(root / f"x.{'json' if form == 'coco' else 'token'}")
    listed = file.with_suffix(".ids" if form == "coco" else ".names")
    expected = captioned.CAPTIONS if form == "coco" else captioned.PLAIN
    return data.retrieval(file, images=str(folder), listed=str(listed)), expected
  suffix = "txt" if form == "flickr" else "json"
  file = getattr(captioned, form)(root / f"x_karpathy.{suffix}")
  expected = captioned.PLAIN if form == "flickr" else captioned.CAPTIONS
  return data.retrieval(file, images=str(folder)), expected


@pytest.mark.parametrize("form", ["shards", "albef", "karpathy", "coco", "flickr", "token"])
def test_every_form_gives_the_same_ids_and_captions(form, tmp_path, folder):
  pairs, expected = _open(form, tmp_path, folder)
  assert _said(pairs) == _plain(expected)
  assert pairs.source.ids == sorted(pairs.source.ids)
  assert pairs.source.labels == [0, 1, 2]
  first = pairs.caption_ids[0]
  assert first == f"{pairs.source.ids[0]}#0"
  assert len(set(pairs.caption_ids)) == len(pairs.captions) == len(pairs.owners)
  assert pairs.source[1].image.shape == (24, 24, 3)


def test_a_list_without_a_header_loses_no_caption(tmp_path, folder):
  file = captioned.flickr(tmp_path / "x_karpathy.txt")
  file.write_text(file.read_text().partition("\n")[2])
  assert _said(data.retrieval(file, images=str(folder))) == _plain(captioned.PLAIN)


def test_no_order_matters(tmp_path, folder):
  turned = dict(reversed(captioned.CAPTIONS.items()))
  one = data.retrieval(captioned.albef(tmp_path / "a.json"), images=str(folder))
  other = data.retrieval(captioned.albef(tmp_path / "b.json", turned), images=str(folder))
  assert one.captions == other.captions
  assert one.told(one.source.sha256) == other.told(other.source.sha256)


def test_a_part_of_the_captions_or_of_the_images(tmp_path, folder):
  file = captioned.karpathy(tmp_path / "x.json")
  assert len(data.retrieval(file, images=str(folder), each=1).captions) == 3
  with pytest.raises(errors.InputError, match="each=-1"):
    data.retrieval(file, images=str(folder), each=-1)
  restval = data.retrieval(file, images=str(folder), split="restval")
  assert restval.source.ids == ["z9.jpg"]
  with pytest.raises(errors.InputError, match=r"no split 'val'; it has restval, test"):
    data.retrieval(file, images=str(folder), split="val")


def test_five_folds_are_the_set_in_the_order_of_its_list(tmp_path, folder):
  names = [f"{number:02}.jpg" for number in (7, 3, 9, 1, 0, 5)]
  images = str(captioned.images(tmp_path / "images", dict.fromkeys(names)))
  listed = [{"image": name, "caption": [f"of {name}"]} for name in names]
  (tmp_path / "test.json").write_text(json.dumps(listed))
  folds = [data.retrieval(tmp_path / "test.json", images=images, fold=fold) for fold in range(1, 6)]
  assert [list(fold.source.ids) for fold in folds] == [*([name] for name in names[:4]), names[4:]]
  assert folds[4].captions == ("of 00.jpg", "of 05.jpg")
  with pytest.raises(errors.InputError, match=r"fold=6 is not in 1\.\.5"):
    data.retrieval(tmp_path / "test.json", images=images, fold=6)


def test_a_missing_image_is_refused(tmp_path, folder):
  file = captioned.albef(tmp_path / "x.json")
  (folder / "b2.jpg").unlink()
  with pytest.raises(errors.InputError, match=r"1 of 3 images .* found more often"):
    data.retrieval(file, images=str(folder))
  with pytest.raises(errors.InputError, match=r"fewer shards than its nshards\.txt"):
    data.retrieval(captioned.shards(tmp_path / "wds", said=3))


def test_what_is_no_such_list_is_refused(tmp_path, folder):
  (tmp_path / "x.json").write_text(json.dumps({"images": [{"split": "test"}]}))
  with pytest.raises(errors.InputError, match="no list of images with captions"):
    data.retrieval(tmp_path / "x.json", images=str(folder))
  captioned.albef(tmp_path / "x.json", {**captioned.CAPTIONS, "b2.jpg": []})
  with pytest.raises(errors.InputError, match=r"'b2.jpg' has no caption"):
    data.retrieval(tmp_path / "x.json", images=str(folder))
  with pytest.raises(errors.InputError, match="name shards"):
    data.retrieval(folder)
  file = captioned.coco(tmp_path / "y.json")
  (tmp_path / "ids").write_text("4\n100\n")
  with pytest.raises(errors.InputError, match=r"1 of the 2 images .* first is '4'"):
    data.retrieval(file, images=str(folder), listed=str(tmp_path / "ids"))


def test_two_images_of_one_name_are_told_apart_by_their_folder(tmp_path, folder):
  (folder / "a1.jpg").unlink()
  (folder / "val2014").mkdir()
  (folder / "other").mkdir()
  for place in ("val2014", "other"):
    (folder / place / "a1.jpg").write_bytes(captioned.picture("a1.jpg"))
  pairs = data.retrieval(captioned.albef(tmp_path / "x.json"), images=str(folder))
  assert pairs.source.ids[0] == "a1.jpg"
  with pytest.raises(errors.InputError, match="may be"):
    data.retrieval(captioned.karpathy(tmp_path / "y.json"), images=str(folder))


def test_other_languages(tmp_path, folder):
  (folder / "test_image_names.txt").write_text("c3.jpg\na1.jpg\n")
  (folder / "test_1kcaptions_en.txt").write_text("a bench\ntwo dogs\n")
  (folder / "test_1kcaptions_de.txt").write_text("eine Bank\nzwei Hunde\n")
  assert data.retrieval(folder).captions == ("two dogs", "a bench")
  assert data.retrieval(folder, language="de").captions == ("zwei Hunde", "eine Bank")
  with pytest.raises(errors.InputError, match="language"):
    data.retrieval(folder, language="fr")
  lines = [
    {"image/key": "a1", "locale": "en", "en": {"caption": ["dogs"]}, "te": {"caption": ["k", "l"]}},
    {"image/key": "b2", "locale": "te", "en": {"caption": ["bus"]}, "te": {"caption": ["b"]}},
  ]
  file = tmp_path / "captions.jsonl"
  file.write_text("\n".join(map(json.dumps, lines)))
  assert data.retrieval(file, images=str(folder), language="te").captions == ("k", "l", "b")
  assert data.retrieval(file, images=str(folder), language="te", each=1).owners == (0, 1)


@pytest.mark.parametrize(
  ("cleaning", "expected"),
  [
    ("raw", "A Dog's <person>: left-right/up (5), it's   #1!"),
    ("albef", "a dogs person left right up 5 its 1"),
    ("leaf", "a dog's <person> left-right/up 5 , it's 1"),
  ],
)
def test_captions_are_cleaned_as_each_paper_does(cleaning, expected):
  said = "A Dog's <person>: left-right/up (5), it's   #1!"
  assert data.Wording(cleaning).worded(said) == expected
  if cleaning != "raw":
    most = {"albef": 30, "leaf": 50}[cleaning]
    assert len(data.Wording(cleaning).worded("word " * 60).split()) == most


def test_a_wording_has_a_name():
  for wording in (data.Wording(), data.Wording("albef"), data.Wording("raw", "a photo of ")):
    assert data.Wording.named(wording.name) == wording
  assert data.Wording.named("openai_80") is None
  assert data.Wording("raw", "a photo of ").worded("a dog") == "a photo of a dog"
  with pytest.raises(errors.InputError, match="clean captions"):
    data.Wording("none").worded("a dog")


def test_both_sides_are_data_sets(tmp_path, folder):
  file = captioned.albef(tmp_path / "x.json")
  name = f"{file}(images={str(folder)!r})"
  source, captions = data.load(name), data.load(f"captions of {name}")
  assert source.ids == ["a1.jpg", "b2.jpg", "c3.jpg"]
  assert source.direction == "image_to_text"
  assert source.label_space.prompted_groups == ((0, 1), (2, 3, 4, 5, 6, 7), (8, 9))
  assert captions.direction == "text_to_image"
  assert captions.ids[2] == "b2.jpg#0"
  assert captions.labels == (0, 0, 1, 1, 1, 1, 1, 1, 2, 2)
  # Captions stay with their image, so that both samples are of the same images.
  images = {source.ids[index] for index in data.sample(source, 2)}
  owners = {captions.class_names[captions.labels[i]] for i in data.sample(captions, 2)}
  assert images == owners
  assert data.columns(captions, [0, 1])["direction"] == ["text_to_image"] * 2
  with pytest.raises(errors.InputError, match="no captions"):
    data.load("captions of digits")
