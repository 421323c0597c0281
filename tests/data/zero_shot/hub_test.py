"""The hub's shards: written by the real library, read by label, refused when they say otherwise."""

import hashlib
import itertools
import json

import numpy as np
import pytest
import webdataset
from references import zero_shot

from jaxbench import data, errors
from jaxbench.data import catalog
from jaxbench.data.zero_shot import table

ROWS = {row.name: row for row in table.ROWS if row.wds}


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("place", ["wds_{}/test", "wds_{}_test/test"])
def test_every_set_of_the_hub_is_read_with_its_labels(tmp_path, name, place):
  zero_shot.hub(tmp_path, name, place.format(ROWS[name].wds))
  source = data.load(name, tmp_path)
  assert source.ids == [f"s{row:07d}" for row in range(4)]
  assert source.labels == [0, 1, 1, 0]
  assert np.unique(source[1].image) == [1]
  assert source.shards == [0, 0, 1, 1]


@pytest.mark.parametrize("name", ["pets", "clevr_closest_object_distance"])
@pytest.mark.parametrize("file", ["classnames.txt", "zeroshot_classification_templates.txt"])
def test_other_names_or_templates_are_refused(tmp_path, name, file):
  above = zero_shot.hub(tmp_path, name, f"wds_{ROWS[name].wds}/test")
  lines = (above / file).read_text().splitlines()
  changed = lines[::-1] if len(lines) > 1 else [*lines, "another"]
  (above / file).write_text("\n".join(changed))
  with pytest.raises(errors.InputError, match=f"{file}: line . is .* in the published set"):
    data.load(name, tmp_path)


def test_cifar_100_asks_as_the_hub_does_and_as_openai_does(tmp_path):
  names = json.loads(catalog.small_images.tables.path("cifar_classnames.json").read_text())
  top = tmp_path / "wds_vtab-cifar100/test"
  top.mkdir(parents=True)
  hubs = [name.replace(" ", "_") for name in names["cifar100"]]
  (top.parent / "classnames.txt").write_text("\n".join(hubs))
  with webdataset.TarWriter(str(top / "0.tar")) as writer:
    writer.write({"__key__": "s0000000", "cls": 1, "webp": zero_shot.image(1, ".webp")})
  space = data.load("cifar100", tmp_path).label_space
  asked = {own.source: own.class_names[1] for own in space.prompts}
  assert space.class_names[1] == "aquarium fish"
  assert asked["clip_benchmark"] == "aquarium_fish"
  assert asked["openai"] == "aquarium fish"


# Found with the pinned webdataset 0.2.48 and a DataLoader of four processes: hashes of JSON lists.
@pytest.mark.parametrize(
  ("counts", "n", "digest"),
  [
    ([120, 120, 37], 1000, "c7c7fc78167ab729e8f5d2179e1ed03db5cdf745adb9a4ff32a399cabea30276"),
    (
      [130, 90, 60, 45, 70, 33],
      200,
      "4edbd3b2f2b4e0e2a0581a797e6811eafb7ac5c1364bd956309af6006519bc6f",
    ),
    ([700], 300, "9f9d2dbe32f1159255130ee8869828d9a0c417ab76899b6fc79913712b0467d9"),
    ([2500, 2500, 400], 1000, "037921106bcd5284cf640e4cf33aa80130e0a6a9bd2dedd4fce75e19023a1f56"),
    ([2500, 2500, 1085], 1000, "794697b26a5b82df79df9eb38069977d0c114dbecdf256b54fe03f5455019ab2"),
    (
      [2500, 2500, 2500, 2500],
      1000,
      "1567eaf445bfaa92f554d00c95373edcb28bff087a31fee5f45fe0368d86d157",
    ),
  ],
)
def test_robustvlms_sample_is_that_of_its_loader(counts, n, digest):
  shards = list(itertools.chain(*([number] * count for number, count in enumerate(counts))))
  ids = [f"s{row:07d}" for row in range(len(shards))]
  chosen = data.SUBSETS["robustvlm"](n=n)(ids, [0] * len(ids), shards)
  assert hashlib.sha256(json.dumps(chosen).encode()).hexdigest() == digest


def test_a_set_that_is_in_no_shards_has_no_robustvlm_sample():
  with pytest.raises(errors.InputError, match="order in WebDataset shards"):
    data.sample(data.load("digits"), 0, "robustvlm(n=10)")
