"""Runs on images with captions: ranks of an encoder, killed and shared, refused and reported."""

import functools
import re
import shutil

import jax
import numpy as np
import pytest
import torch
from references import captioned, checkpoints, command

from jaxbench import config, corruptions, data, errors, metrics, models, plan, records, retrieval
from jaxbench.distributed.hosts import Host
from jaxbench.evaluate import runner

# Enough that ranks differ, and several captions an image; one caption is there twice.
WORDS = ("a red bus", "two dogs on grass", "an old man", "the sea at night", "five apples")
CAPTIONS = {
  f"{number}.jpg": [f"{WORDS[number % 5]} {place}, {number}" for place in range(1 + number % 3)]
  for number in range(9)
}
CAPTIONS["4.jpg"].append(CAPTIONS["7.jpg"][0])


@pytest.fixture(scope="module")
def root(tmp_path_factory):
  root = tmp_path_factory.mktemp("sets")
  captioned.shards(root / "wds_flickr30k", CAPTIONS)
  return root


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
  monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))


def _settings(model, root, **changes):
  given = {"models": (model,), "data": (str(root / "wds_flickr30k"),), "slots": 2}
  return config.checked(config.Config(**given | {"block": 4} | changes))


def _run(workdir, settings, **how):
  runner.run(settings, plan.make(settings), workdir, quiet=True, **how)
  return records.read(workdir)


def _embedded(network, pairs, preprocess):
  """Unit embeddings by transformers: images [N, D], captions [T, D]."""
  processor = checkpoints.CLIP_PROCESSOR
  pixels = np.stack([preprocess(pairs.source[row].image) for row in range(len(pairs.source))])
  mean, std = (np.array(processor[key], np.float32) for key in ("image_mean", "image_std"))
  standard = torch.tensor((pixels / np.float32(255) - mean) / std).permute(0, 3, 1, 2)
  tokens = torch.tensor(np.asarray(models.tokenize(list(pairs.captions)))).long()
  with torch.no_grad():
    output = network(input_ids=tokens, pixel_values=standard)
  return output.image_embeds.double().numpy(), output.text_embeds.double().numpy()


def test_ranks_are_those_of_transformers(tmp_path, network, model, root):
  rows = _run(tmp_path / "run", _settings(model, root)).to_pylist()
  pairs = data.retrieval(root / "wds_flickr30k")
  images, captions = _embedded(network, pairs, models.load(model).preprocess)
  loaded = models.load(model)
  np.testing.assert_allclose(models.gallery(loaded, pairs.captions), captions, atol=1e-5)
  owners, places = np.array(pairs.owners), np.arange(len(images))
  for direction, ids, of_queries, of_items, scores in (
    ("image_to_text", pairs.source.ids, places, owners, images @ captions.T),
    ("text_to_image", pairs.caption_ids, owners, places, captions @ images.T),
  ):
    found = {row["example"]: row for row in rows if row["direction"] == direction}
    assert set(found) == set(ids)
    for name, row_scores, owner in zip(ids, scores, of_queries, strict=True):
      own = of_items == owner
      lead = row_scores[~own] - row_scores[own].max()
      assert found[name]["label"] == owner
      assert found[name]["rank"] == (lead > 1e-6).sum()
      assert found[name]["margin"] == pytest.approx(lead.max(), abs=1e-5)
      assert found[name]["tied"] == (np.abs(lead) <= 1e-6).sum()
  # The caption that two images have cannot tell them apart.
  assert any(row["tied"] for row in rows) or any(row["rank"] for row in rows)


def test_blocks_kills_and_hosts_change_no_rank(tmp_path, model, root):
  expected = _run(tmp_path / "one", _settings(model, root))
  whole = _run(tmp_path / "two", _settings(model, root, block=100), host=Host(1, 2))
  columns = ["example", "direction", "label", "prediction", "rank", "tied"]
  assert whole.select(columns).equals(expected.select(columns))
  # As if killed after some blocks: of the gallery a piece is there, one is damaged, one is missing.
  (gallery,) = (tmp_path / "one" / "galleries").iterdir()
  pieces = sorted(gallery.iterdir())
  assert len(pieces) == 3
  pieces[0].write_bytes(b"damaged")
  pieces[1].unlink()
  shutil.rmtree(tmp_path / "one" / "records")
  shutil.rmtree(tmp_path / "one" / "leases")
  again = _run(tmp_path / "one", _settings(model, root), host=Host(2, 3))
  assert again.equals(expected)


def test_under_a_universal_perturbation_all_images_are_perturbed(tmp_path, model, root):
  universal = config.Universal(paths=("digits-universal",))
  attacks = config.Attacks(epsilons=(0.0, 16 / 255))
  rows = _run(tmp_path / "run", _settings(model, root, universal=universal, attacks=attacks))
  found = {}
  for row in rows.to_pylist():
    found.setdefault((row["direction"], row["epsilon"]), {})[row["example"]] = row
  assert len(found) == 6
  for direction in ("image_to_text", "text_to_image"):
    clean, nothing = found[direction, None], found[direction, 0.0]
    assert clean.keys() == nothing.keys() == found[direction, 16 / 255].keys()
    for row in nothing.values():
      assert row["success"] == (row["prediction"] != row["label"])
      assert row["rank"] is not None
  assert {row["distance"] for row in found["text_to_image", 0.0].values()} == {None}
  assert {row["distance"] for row in found["image_to_text", 0.0].values()} == {0.0}


def test_a_sample_is_of_queries_and_searches_everything(tmp_path, model, root):
  whole = _run(tmp_path / "one", _settings(model, root)).to_pylist()
  some = _run(tmp_path / "two", _settings(model, root, limit=3)).to_pylist()
  known = {row["example"]: row for row in whole}
  assert all(known[row["example"]]["rank"] == row["rank"] for row in some)
  images = [row for row in some if row["direction"] == "image_to_text"]
  captions = [row for row in some if row["direction"] == "text_to_image"]
  assert len(images) == 3
  assert {row["label"] for row in captions} == {row["label"] for row in images}


@pytest.mark.slow
def test_corrupted_images_are_searched_as_they_are_asked(tmp_path, model, root):
  """Both directions see the same corrupted images: those of the library."""
  asked = config.Corruptions(names=("contrast",), severities=(5,))
  settings = _settings(model, root, corruptions=asked)
  rows = [row for row in _run(tmp_path / "run", settings).to_pylist() if row["severity"]]
  assert {row["direction"] for row in rows} == {"image_to_text", "text_to_image"}
  pairs, loaded = data.retrieval(root / "wds_flickr30k"), models.load(model)
  clean, _ = data.load_images(pairs.source, range(len(pairs.source)), loaded.preprocess)
  corrupt = functools.partial(corruptions.corrupt, name="contrast", severity=5)
  images = jax.vmap(lambda image: corrupt(jax.random.key(0), image))(clean / np.float32(255))
  embedded = np.array(loaded.visual(images))
  embedded /= np.linalg.norm(embedded, axis=1, keepdims=True)
  captions = np.array(models.gallery(loaded, pairs.captions))
  owners, places = np.array(pairs.owners), np.arange(len(images))
  to_text = retrieval.ranks(embedded, places, captions, owners).rank
  to_image = retrieval.ranks(captions, owners, embedded, places).rank
  expected = dict(zip(pairs.source.ids, to_text, strict=True))
  expected |= zip(pairs.caption_ids, to_image, strict=True)
  assert {row["example"]: row["rank"] for row in rows} == expected


@pytest.mark.slow
def test_captions_attacked_through_their_images(tmp_path, model, root):
  """The pooled classifier of captions is attacked as any; ranks are those of captions."""
  attack = config.Attacks(names=("pgd(steps=3)",), epsilons=(0.0, 16 / 255), transfer=("fgsm",))
  asked = config.Retrieval(directions=("image_to_text",), captions=("raw", "albef"))
  settings = _settings(model, root, attacks=attack, retrieval=asked)
  rows = _run(tmp_path / "run", settings).to_pylist()
  assert {row["prompts"] for row in rows} == {"raw captions", "albef captions"}
  clean = {(row["prompts"], row["example"]): row for row in rows if row["perturbation"] == "clean"}
  right = sum(row["rank"] == 0 for row in clean.values())
  assert right
  for row in rows:
    before = clean[row["prompts"], row["example"]]
    assert row["rank"] is not None
    if row["success"] is not None and not row["tied"]:
      assert row["success"] == (row["rank"] > 0)
    if row["epsilon"] == 0:
      assert (row["rank"], row["tied"]) == (before["rank"], before["tied"])
  attacked = [row for row in rows if row["perturbation"].startswith("pgd") and row["epsilon"]]
  assert sum(row["rank"] == 0 for row in attacked) < right


def test_what_cannot_be_is_said_or_refused(tmp_path, model, root):
  made = plan.make(_settings(model, root, models=(model, "digits-resnet", f"{model}|clipure_cos")))
  reasons = {one.what.split(" ")[0] for one in made.absent}
  assert any(name.endswith("digits-resnet") for name in reasons)
  defended = [one for one in made.absent if "clipure_cos" in one.what]
  assert all("captions of" in one.what for one in defended)
  words = plan.make(_settings(model, root, typography=("text(size=0.25)",)))
  assert any("captions, no classes" in one.reason for one in words.absent)
  with pytest.raises(errors.InputError, match="clean captions"):
    plan.make(_settings(model, root, retrieval=config.Retrieval(captions=("none",))))
  with pytest.raises(errors.InputError, match=r"retrieval\.directions"):
    _settings(model, root, retrieval=config.Retrieval(directions=("both",)))


def test_an_image_that_cannot_be_read_is_no_smaller_gallery(tmp_path, model):
  captioned.images(tmp_path / "images", CAPTIONS)
  listed = captioned.albef(tmp_path / "set.json", CAPTIONS)
  (tmp_path / "images" / "5.jpg").write_bytes(b"no image")
  name = f"captions of {listed}(images='{tmp_path / 'images'}')"
  with pytest.raises(errors.InputError, match=r"5\.jpg .* found more often"):
    _run(tmp_path / "run", _settings(model, tmp_path, data=(name,)))


def test_the_wording_is_part_of_a_cell(model, root):
  def ids(**changes):
    settings = _settings(model, root, retrieval=config.Retrieval(**changes))
    return {cell.id for cell in plan.make(settings).cells}

  variants = [ids(), ids(captions=("albef",)), ids(captions=("leaf",)), ids(prefix="a photo of ")]
  assert len(set.union(*variants)) == 8
  assert len({name.rpartition("#")[2] for name in set.union(*variants)}) == 4


def test_runs_of_other_sets_are_known_as_before():
  """The settings came later."""
  assert "retrieval" not in models.told(config.Config())
  assert models.told(config.Config(retrieval=config.Retrieval(prefix="a ")))["retrieval"] == {
    "directions": ("image_to_text", "text_to_image"),
    "captions": ("raw",),
    "prefix": "a ",
  }


def test_the_config_through_the_command_line(tmp_path, model, root):
  out, _ = command.call(
    "jaxbench",
    "--config=configs/retrieval.py:tiny",
    f"--workdir={tmp_path / 'run'}",
    f"--config.models={model}",
    f"--config.data_root={root}",
    "--config.data=flickr30k",
    "--config.attacks.names=",  # They are above, in this process.
  )
  assert "recall of retrieval, percent" in out
  rows = records.read(tmp_path / "run")
  assert set(rows["data"].to_pylist()) == {"flickr30k", "captions of flickr30k"}
  page = (tmp_path / "run" / "report.html").read_text()
  lines = re.findall(r'<tr data-retrieval="(\w+)".*?</tr>', page, re.DOTALL)
  assert lines.count("flickr30k") == 1
  found = {(row["data"], row["direction"]): row for row in metrics.recalls(rows).to_pylist()}
  assert found["flickr30k", "image_to_text"]["queries"] == 3
  section = page[page.index("Retrieval: are captions") :]
  clean = next(
    row
    for row in metrics.recalls(rows).to_pylist()
    if (row["data"], row["direction"], row["perturbation"])
    == ("flickr30k", "text_to_image", "clean")
  )
  assert f"{100 * clean['recall_5']:.1f}<small>" in section
  assert "Weakest" not in page
