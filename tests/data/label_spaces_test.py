"""Structure of the tables, and examples that the papers and their code name."""

import pathlib
from importlib import util

import pytest

from jaxbench import data, errors
from jaxbench.data import imagenet, label_spaces


def _labels(space):
  return [label for group in space.imagenet for label in group]


def test_wnids_are_in_the_order_of_labels():
  """TensorFlow Datasets has its own copy."""
  package = pathlib.Path(util.find_spec("tensorflow_datasets").origin).parent
  labels = (package / "datasets/imagenet2012/labels.txt").read_text().split()
  assert list(imagenet.wnids()) == labels == sorted(labels)
  assert imagenet.class_names()[imagenet.wnids().index("n02134084")] == "polar bear"


@pytest.mark.parametrize(
  ("name", "classes", "labels"),
  [
    ("imagenet", 1000, 1000),
    ("imagenet-a", 200, 200),
    ("imagenet-r", 200, 200),
    ("objectnet", 113, 125),
    ("imagenet-vid-robust", 30, 288),
    ("ytbb-robust", 24, 231),
    ("cue-conflict", 16, 207),
  ],
)
def test_spaces_have_their_published_sizes_and_no_label_twice(name, classes, labels):
  space = label_spaces.get(name)
  assert len(space.class_names) == len(space.imagenet) == classes
  assert len(_labels(space)) == len(set(_labels(space))) == labels
  assert set(_labels(space)) <= set(range(1000))
  assert space.supervised_groups(1000) == (None if classes == 1000 else space.imagenet)
  assert space.supervised_groups(classes) is None


def test_a_and_r_keep_the_order_of_imagenet_and_share_86_classes():
  a, r = label_spaces.imagenet_a(), label_spaces.imagenet_r()
  for space in (a, r):
    assert _labels(space) == sorted(_labels(space))
    assert space.prompted == space.class_names
    assert space.prompted_groups is None
  assert _labels(a)[:3] == [6, 11, 13]
  assert _labels(a)[-3:] == [986, 987, 988]
  assert _labels(r)[:5] == [1, 2, 4, 6, 8]
  assert _labels(r)[-3:] == [981, 983, 988]
  assert len(set(_labels(a)) & set(_labels(r))) == 86


def test_objectnet_takes_several_classes_for_one():
  space = label_spaces.objectnet()
  several = {
    name: group
    for name, group in zip(space.class_names, space.imagenet, strict=True)
    if len(group) > 1
  }
  assert len(several) == 9
  assert several["alarm clock"] == (409, 530)
  assert several["skirt"] == (601, 655, 689)
  folders = label_spaces.objectnet_folders()
  assert list(folders) == sorted(folders)
  assert space.class_names[folders.index("full_sized_towel")] == "bath towel"
  assert list(space.class_names) != sorted(space.class_names)


def test_some_classes_of_ytbb_are_not_in_imagenet():
  space = label_spaces.ytbb_robust()
  empty = [n for n, group in zip(space.class_names, space.imagenet, strict=True) if not group]
  assert empty == ["cow", "giraffe", "skateboard", "toilet", "none"]
  assert space.imagenet[space.class_names.index("person")] == (981, 982, 983)


def test_video_classes_have_names_a_prompt_can_hold():
  space = label_spaces.vid_robust()
  assert "giant panda" in space.class_names
  assert len(space.imagenet[space.class_names.index("dog")]) == 118


def test_pooled_prompts_are_the_names_of_imagenet_group_by_group():
  space = label_spaces.objectnet(own_names=False)
  assert len(space.prompted) == 125
  names = imagenet.class_names()
  for group, labels in zip(space.prompted_groups, space.imagenet, strict=True):
    assert [space.prompted[logit] for logit in group] == [names[label] for label in labels]
  assert sum(map(len, space.prompted_groups)) == 125


def test_a_classifier_of_other_classes_is_refused():
  with pytest.raises(errors.InputError, match="it has 10 classes, the data set 200"):
    label_spaces.imagenet_r().supervised_groups(10)
  with pytest.raises(errors.InputError, match="it has 1000 classes, the data set 10"):
    data.Digits().label_space.supervised_groups(1000)
  with pytest.raises(errors.InputError, match="Did you mean 'imagenet-a'"):
    label_spaces.get("imagenet_a")
