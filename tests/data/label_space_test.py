"""Through the runner: what classifiers of ImageNet say of a data set with coarser classes."""

import jax
import numpy as np
import pytest
from flax import nnx
from PIL import Image

from jaxbench import config, data, devices, models, plan, records
from jaxbench.attacks.engine import batching
from jaxbench.data import label_spaces
from jaxbench.evaluate import evaluator, heads, runner
from jaxbench.evaluate.slots import Slots


class _Photographs:
  """Random images with ObjectNet's classes."""

  label_space = label_spaces.objectnet()
  class_names = label_space.class_names
  ids = tuple(f"photo/{index}" for index in range(12))
  labels = tuple(range(12))
  sha256 = "0" * 64

  def __len__(self):
    return len(self.ids)

  def __getitem__(self, index):
    image = np.random.default_rng(index).integers(0, 256, (16, 16, 3), np.uint8)
    return data.Example(image, self.labels[index])


@pytest.fixture
def resnet(tmp_path):
  shape = models.ResNetConfig(
    depths=(1,), width=4, num_classes=1000, preprocess=models.Preprocess(16)
  )
  model = models.ResNet(shape, rngs=nnx.Rngs(0))
  models.save(model, tmp_path / "resnet", "a test")
  return model, str(tmp_path / "resnet")


def test_clean_and_attacked_predictions_are_in_the_classes_of_the_set(
  resnet, tmp_path, monkeypatch
):
  model, folder = resnet
  monkeypatch.setitem(data.DATA_SETS, "photographs", _Photographs)
  settings = config.checked(
    config.Config(
      models=(folder, "digits-resnet"),
      data=("photographs",),
      attacks=config.Attacks(names=("pgd(steps=2)",), epsilons=(8 / 255,)),
      slots=2,
    )
  )
  made = plan.make(settings)
  (absent,) = {(one.what, one.reason) for one in made.absent}
  assert absent == ("digits-resnet on photographs", "it has 10 classes, the data set 113")
  runner.run(settings, made, tmp_path / "run")
  rows = records.read(tmp_path / "run").to_pylist()
  source = _Photographs()
  images = np.stack([source[index].image for index in range(12)]).astype(np.float32) / 255
  logits = np.asarray(model(images))
  groups = source.label_space.imagenet
  pooled = np.stack([logits[:, list(group)].max(axis=1) for group in groups], axis=1)
  clean = dict(zip(source.ids, pooled.argmax(axis=1).tolist(), strict=True))
  assert len(rows) == 24
  for row in rows:
    assert row["clean_prediction"] == clean[row["example"]]
    if row["epsilon"] is not None:
      assert 0 <= row["prediction"] < 113
      assert row["success"] == (row["prediction"] != row["label"])


@pytest.mark.slow
def test_ones_own_folder_of_wnids_runs_by_its_path(resnet, tmp_path):
  model, folder = resnet
  wnids = {"n01440764": 0, "n02123045": 281}
  images, draw = {}, np.random.default_rng(0)
  for wnid in wnids:
    for number in range(2):
      file = tmp_path / "pets" / wnid / f"{number}.png"
      file.parent.mkdir(parents=True, exist_ok=True)
      images[f"{wnid}/{number}.png"] = draw.integers(0, 256, (16, 16, 3), np.uint8)
      Image.fromarray(images[f"{wnid}/{number}.png"]).save(file)
  own = str(tmp_path / "pets")
  settings = config.checked(config.Config(models=(folder,), data=(own,), slots=2))
  runner.run(settings, plan.make(settings), tmp_path / "run")
  logits = np.asarray(model(np.stack(list(images.values())).astype(np.float32) / 255))
  expected = logits[:, list(wnids.values())].argmax(axis=1).tolist()
  rows = records.read(tmp_path / "run").to_pylist()
  assert {row["example"]: row["prediction"] for row in rows} == dict(
    zip(images, expected, strict=True)
  )
  assert {row["data"] for row in rows} == {own}
  runner.run(settings, plan.make(settings), tmp_path / "run")  # Nothing is left to do.
  assert len(list((tmp_path / "run/records").iterdir())) == 1


def test_another_grouping_is_another_cell(resnet, monkeypatch):
  _, folder = resnet

  def fingerprints(space):
    monkeypatch.setattr(_Photographs, "label_space", space)
    monkeypatch.setitem(data.DATA_SETS, "photographs", _Photographs)
    settings = config.checked(config.Config(models=(folder,), data=("photographs",)))
    return [cell.fingerprint for cell in plan.make(settings).cells]

  space = label_spaces.objectnet()
  groups = (space.imagenet[1], space.imagenet[0], *space.imagenet[2:])
  other = data.LabelSpace(space.class_names, groups)
  assert fingerprints(space) == fingerprints(label_spaces.objectnet()) != fingerprints(other)


@pytest.mark.slow
def test_a_clip_is_built_with_the_names_of_imagenet_where_its_classes_are_finer(tmp_path):
  tower = models.TowerConfig(16, 1, 2, 32, "quick_gelu")
  shape = models.CLIPConfig(8, tower, tower, patch_size=8, preprocess=models.Preprocess(16))
  folder, images = str(tmp_path / "clip"), np.random.default_rng(0).random((8, 16, 16, 3))
  models.save(models.CLIP(shape, rngs=nnx.Rngs(0)), folder, "a test")
  clip, templates = models.load(folder), models.templates("class_name")
  settings = config.checked(config.Config(models=(folder,), data=("digits",)))
  forward = jax.jit(lambda classifier, images: classifier(images))
  space, small = label_spaces.objectnet(), images.astype(np.float32)
  fine = forward(models.zero_shot(clip, models.imagenet_class_names(), templates), small)
  expected = np.stack([fine[:, list(group)].max(axis=1) for group in space.imagenet], axis=1)
  judging = evaluator.Evaluator(
    settings,
    space,
    lambda name: devices.replicate(models.load(name)),
    heads.Heads(tmp_path / "run"),
    Slots(records.Store(tmp_path / "run", {"identity": {}}), 1),
    batching.Tally(),
  )
  found = judging.classifier(config.Member(folder, "class_name")).tree()
  np.testing.assert_allclose(forward(found, small), expected, atol=1e-4)
