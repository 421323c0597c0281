"""What differs between a number of a run and a published one, protocol by protocol."""

import csv

import pytest

from jaxbench import attacks, metrics, spec, tables
from jaxbench import data as sets
from jaxbench.metrics import published
from jaxbench.report import natural, protocols

BILINEAR = {"size": 224, "resize": 256, "interpolation": "bilinear", "squash": False}
BICUBIC = {"size": 224, "resize": None, "interpolation": "bicubic", "squash": False}
OF_FARE = "autoattack(attacks=('apgd-ce', 'apgd-t'), restarts=5)"
OPENAI_80 = list(published.protocol("fare", "imagenet", None, attacked=False).prompts.templates)
OWN = list(published.protocol("fare", "cifar10", None, attacked=False).prompts.templates)
PROMPTS = {"openai_80": OPENAI_80, "simple": ["a photo of a {}."], "own.json": OWN[::-1]}


def _differences(protocol, examples, *, subset="", quantize=False, search="float32", **cell):
  cell = {"model": "m", "prompts": None, "data": protocol.data, "attack": None} | cell
  if cell["attack"]:
    cell["stream"] = spec.resolve(cell["attack"], attacks.ATTACKS, "attack").full
  own = BICUBIC if cell["prompts"] else BILINEAR
  cell = {"preprocess": own, "native": None} | cell
  asked = {"subset": subset, "attacks": {"quantize": quantize, "search_dtype": search}}
  models = {"m": {"config": {"preprocess": own}}}
  run = {"identity": {"config": asked, "models": models, "prompts": PROMPTS}}
  return protocols.differences(protocol, run, cell, examples)


SALMAN = {"subset": "robustbench", "attack": "autoattack"}
BENCH = "RobustBench's 5,000"


@pytest.mark.parametrize(
  ("changes", "examples", "told"),
  [
    ({}, 5000, ()),
    ({"attack": "autoattack(steps=100, version='standard')"}, 5000, ()),
    ({"subset": "robustbench()"}, 5000, ()),
    ({}, 4999, (f"examples: 4,999 instead of {BENCH}",)),
    ({"subset": ""}, 5000, (f"examples: 5,000 of all instead of {BENCH}",)),
    ({"data": "digits"}, 5000, (f"examples: 5,000 of robustbench instead of {BENCH}",)),
    ({"subset": "", "data": "digits"}, 9, (f"examples: 9 of digits instead of {BENCH}",)),
    ({"attack": "square"}, 5000, ("attack: square instead of autoattack",)),
    ({"attack": "autoattack(norm='l2')"}, 5000, ("attack: autoattack(norm='l2') instead of ",)),
    ({"quantize": True}, 5000, ("attack: on images of 8 bits",)),
    ({"search": "bfloat16"}, 5000, ("attack: searched in bfloat16",)),
    (
      {"preprocess": BICUBIC},
      5000,
      ("images: short side 224 (bicubic) instead of short side 256 (bilinear), of which 224",),
    ),
    (
      {"preprocess": BICUBIC | {"size": 64}, "native": 64},
      5000,
      ("images: at the images' own 64 pixels instead of the model's 224",),
    ),
  ],
)
def test_robustbench(changes, examples, told):
  protocol = published.protocol("robustbench", "imagenet", "Salman2020Do_R50", attacked=True)
  found = _differences(protocol, examples, **(SALMAN | changes))
  assert len(found) == len(told)
  assert all(one.startswith(start) for one, start in zip(found, told, strict=True))


def test_clean_numbers_of_fare_agree_in_prompts_and_images():
  protocol = published.protocol("fare", "imagenet-r", "FARE 4/255", attacked=False)
  assert _differences(protocol, 30_000, prompts="openai_80") == ()
  (told,) = _differences(protocol, 30_000, prompts="simple")
  assert told == "prompts: simple instead of openai_80"
  assert "prompts: none instead of openai_80" in _differences(protocol, 30_000)
  (told,) = _differences(protocol, 1_000, prompts="openai_80")
  assert told == "examples: 1,000 instead of all 30,000"


def test_fare_takes_each_sets_own_prompts_at_their_own_size():
  protocol = published.protocol("fare", "cifar10", "FARE 4/255", attacked=True)
  own = {"attack": OF_FARE, "native": 32, "preprocess": BICUBIC | {"size": 32}}
  theirs = {"subset": "robustvlm(n=1000)"}
  always = protocol.never
  assert len(always) == 1  # How they are enlarged.
  assert _differences(protocol, 1000, prompts="own.json", **own, **theirs) == always
  found = _differences(protocol, 1000, prompts="openai_80", **own, **theirs)
  assert found == ("prompts: openai_80 instead of the set's own 18 templates", *always)
  found = _differences(protocol, 1000, prompts="own.json", **own)
  assert found == ("examples: 1,000 of all instead of robustvlm(n=1000) 1,000", *always)
  large = _differences(protocol, 1000, prompts="own.json", attack=OF_FARE, **theirs)
  assert large == ("images: at the model's 224 pixels instead of the images' own 32", *always)


def test_two_classes_have_no_targeted_attack():
  protocol = published.protocol("fare", "pcam", None, attacked=True)
  assert protocol.attack == "autoattack(attacks=('apgd-ce',), restarts=5)"


def test_every_published_number_has_its_protocol():
  with tables.path("published_clean_accuracies.csv").open() as file:
    for row in csv.DictReader(file):
      found = published.clean(row["model"] + "@main", row["data"])
      assert found.value == pytest.approx(float(row["accuracy"]) / 100)
      assert (found.protocol.data, found.protocol.subset) == (row["data"], "")
      assert found.protocol.examples > 1000
      assert bool(found.protocol.prompts) == bool(row["prompts"])
  with tables.path("published_robust_accuracies.csv").open() as file:
    rows = list(csv.DictReader(file))
  assert {row["table"] for row in rows} == published.TABLES.keys()
  untold = {"attack": ("tecoa", "leaf"), "prompts": ("robustbench", "leaf", "coapt")}
  for row in rows:
    for data in published.SUITES.get(published.MEANS.get(row["data"]), (row["data"],)):
      for attacked in (False, True):
        found = published.protocol(row["table"], data, row["model"], attacked=attacked)
        assert bool(found.attack) == (attacked and row["table"] not in untold["attack"])
        assert bool(found.prompts) == (row["table"] not in untold["prompts"])
        for what, names in untold.items():  # What is not known is told, but of supervised models.
          if row["table"] in names and row["table"] != "robustbench" and attacked:
            assert any(what in said for said in found.never)
        if found.attack:
          spec.build(spec.resolve(found.attack, attacks.ATTACKS, "attack"))
        if found.examples not in (None, 1_000, 5_000):
          assert found.examples == sets.CATALOG[data].examples


@pytest.mark.parametrize(
  ("table", "data", "line", "clean", "attacked"),
  [
    ("robustvlm-base", "cars", None, (), ()),
    ("robustvlm-base", "stl10", None, ("enlarged",), ("enlarged",)),
    ("tecoa", "cars", "CLIP", ("half",), ("half", "steps are not published")),
    ("tga-zsr", "tinyimagenet", "CLIP", (), ()),
    ("bap", "caltech256", None, ("another paper",), ("another paper",)),
    ("t-vss", "ucf101", "CLIP RN50", ("another paper",), ("another paper", "8 bits")),
    ("leaf", "imagenet", None, ("another paper",), ("another paper", "not told")),
  ],
)
def test_what_no_run_can_have_as_it_was_there_is_told(table, data, line, clean, attacked):
  for words, under in ((clean, False), (attacked, True)):
    found = published.protocol(table, data, line, attacked=under)
    assert len(found.never) == len(words)
    assert all(word in never for word, never in zip(words, found.never, strict=True))


def test_the_steps_of_an_attack_are_those_of_the_line():
  for line, steps in (("CLIP RN50", 7), ("R-TPT RN50", 7), ("CLIP ViT-B/16", 100), (None, 100)):
    found = published.protocol("t-vss", "cars", line, attacked=True)
    assert found.attack.startswith(f"pgd(steps={steps}, ")


@pytest.mark.parametrize(
  ("source", "told"),
  [("tecoa", ()), ("clip_benchmark", ("prompts: own instead of TeCoA's of the set",))],
)
def test_prompts_that_are_known_by_their_source_alone(monkeypatch, source, told):
  own = {"cars": {"source": source, "templates": ["a {}"]}}
  monkeypatch.setitem(PROMPTS, "own", own)
  protocol = published.protocol("tga-zsr", "cars", "CLIP", attacked=False)
  assert _differences(protocol, 8_041, prompts="own", preprocess=BILINEAR) == told


@pytest.mark.parametrize(
  ("model", "data", "examples", "prompts", "told"),
  [
    ("openai/clip-vit-base-patch16", "imagenet", 50_000, "openai_80", ""),
    ("openai/clip-vit-base-patch16", "imagenet", 49_999, "openai_80", "examples: 49,999 instead"),
    ("openai/clip-vit-base-patch16", "imagenet", 50_000, "simple", "prompts: simple instead of op"),
    ("openai/clip-vit-base-patch32", "objectnet", 18_574, "openai_80", "prompts: their embeddings"),
    ("timm/resnet50.tv_in1k", "imagenet-sketch", 50_889, None, ""),
    ("timm/resnet50.tv_in1k", "ytbb-robust", 2_169, None, "examples: 2,169 instead of all 2,030"),
    ("timm/resnet50.tv_in1k", "stylized-imagenet", 50_000, None, "images: everybody stylizes"),
    ("google/vit-base-patch16-384", "imagenet", 50_000, None, "images: short side 256 (bilinear)"),
  ],
)
def test_clean_numbers(model, data, examples, prompts, told):
  found = _differences(published.clean(model, data).protocol, examples, prompts=prompts)
  assert len(found) == bool(told)
  assert "".join(found).startswith(told)


@pytest.mark.parametrize(
  ("on_disk", "preprocess", "told"),
  [
    (True, BICUBIC | {"interpolation": "bilinear"}, ()),  # Nothing is resized.
    (
      True,
      BILINEAR,
      ("images: short side 256 (bilinear), of which 224 instead of as stored, 224",),
    ),
    (False, BILINEAR, ("images: corrupted anew instead of the published files",)),
  ],
)
def test_corruption_errors(on_disk, preprocess, told):
  models = {"m": {"config": {"preprocess": preprocess}}}
  run = {"identity": {"config": {"subset": ""}, "models": models}}
  cell = {"model": "m", "prompts": None, "data": "imagenet-c" if on_disk else "imagenet"}
  cell |= {"preprocess": preprocess, "native": None}
  reference = published.corruption_error("timm/resnet50.tv_in1k")
  found = protocols.of_corruptions(reference.protocol, run, cell, 50_000, on_disk)
  assert found == told


def test_effective_robustness_tells_which_examples_differ():
  row = {"shift": "imagenet-r", "model": "m", "prompts": None, "expected": 0.5}
  shift = metrics.SHIFTS["imagenet-r"]
  shared = {"model": "m", "prompts": None, "perturbation": "clean"}
  summary = [
    shared | {"data": shift.within, "examples": 10_000},
    shared | {"data": shift.data, "examples": 300},
  ]
  run = {"identity": {"config": {"subset": ""}}}
  told = "imagenet-r: examples: 300 instead of all 30,000"
  assert natural.unlike(row, summary, run) == [told]
  assert natural.unlike(row | {"expected": None}, summary, run) == []
  assert natural.unlike_models([row, row], summary, run) == told


def test_nothing_is_marked_under_another_protocol():
  marks = {
    (value, differs): protocols.Beside(value, "", differs).mark(0.4, 0.6)
    for value in (0.3, 0.4, 0.6, 0.7)
    for differs in ((), ("prompts: a instead of b",))
  }
  assert [marks[value, ()] for value in (0.3, 0.4, 0.6, 0.7)] == ["≠", "≈", "≈", "≠"]
  assert {mark for (_, differs), mark in marks.items() if differs} == {""}
