"""Each data set's own prompts: whose, with which names, and what is refused."""

import dataclasses

import pytest

from jaxbench import config, data, errors
from jaxbench.data import label_spaces
from jaxbench.data.zero_shot import table
from jaxbench.plan.prompting import described, is_own, prompting

SPACES = {row.name: row.space for row in table.ROWS if row.classes is not None}


@pytest.mark.parametrize("name", SPACES)
def test_own_prompts_have_a_blank_each_and_as_many_names_as_classes(name):
  space = SPACES[name]
  for own in space.prompts:
    assert len(own.class_names) == len(space.class_names)
    assert all(template.count("{}") == 1 for template in own.templates)


@pytest.mark.parametrize(
  ("name", "prompts", "source", "count", "called"),
  [
    ("cars", "own", "clip_benchmark", 8, "AM General Hummer SUV 2000"),
    ("cars", "own(coop)", "coop", 1, "2000 AM General Hummer SUV"),
    ("flowers", "own(openai)", "openai", 1, "pink primrose"),
    ("pets", "own(tecoa)", "tecoa", 1, "abyssinian"),
    ("resisc45", "own(openai)", "openai", 18, "airplane"),
  ],
)
def test_a_source_asks_with_its_own_names(name, prompts, source, count, called):
  found = prompting(prompts, SPACES[name])
  assert (found.source, len(found.templates), found.class_names[0]) == (source, count, called)
  assert found.groups is None


def test_imagenets_classes_have_clips_eighty():
  found = prompting("own", label_spaces.imagenet_1k())
  assert (found.source, len(found.templates), len(found.class_names)) == ("openai_80", 80, 1000)
  pooled = prompting("own", label_spaces.objectnet())
  assert (len(pooled.groups), len(pooled.class_names)) == (113, 125)


@pytest.mark.parametrize(
  ("space", "prompts", "message"),
  [
    (SPACES["dsprites_label_y_position"], "own", "no prompts of its own: name others"),
    (SPACES["eurosat"], "own(openai)", r"no prompts of openai: it has own\(clip_benchmark\), own"),
    (data.LabelSpace(("a", "b")), "own", "no prompts of its own: name others, as openai_80"),
  ],
)
def test_who_has_none_says_what_there_is(space, prompts, message):
  with pytest.raises(errors.InputError, match=message):
    prompting(prompts, space)


def test_a_run_tells_templates_and_the_hash_of_the_names():
  spaces = {"cars": SPACES["cars"], "digits": data.LabelSpace(("zero", "one"))}
  (name,) = found = described("own", spaces)
  assert name == "cars"
  assert len(found[name]["templates"]) == 8
  assert len(found[name]["class_names_sha256"]) == 64
  assert not is_own("owner")


@pytest.mark.parametrize(
  "written",
  [
    {"imagenet": ["openai_80", "simple"], "*": "own"},
    "own,imagenet=openai_80,imagenet=simple",
    ("imagenet=openai_80", "imagenet=simple", "own"),
  ],
)
def test_a_data_set_may_have_other_prompts_than_the_others(written):
  settings = config.Config(models=("m",), data=("imagenet", "cars"), prompts=written)
  settings = config.checked(settings)
  assert config.prompts_on(settings, "imagenet") == ("openai_80", "simple")
  assert config.prompts_on(settings, "cars") == ("own",)
  assert set(config.prompt_sets(settings)) == {"own", "openai_80", "simple"}


def test_the_sign_in_a_path_is_no_assignment():
  settings = config.Config(models=("m",), data=("cars",), prompts=("/a=b/mine.txt",))
  assert config.prompts_on(config.checked(settings), "cars") == ("/a=b/mine.txt",)
  assert dataclasses.asdict(settings)["prompts"] == ("/a=b/mine.txt",)


def test_a_data_set_may_have_another_attack_and_another_part():
  settings = config.Config(
    models=("m",),
    data=("pcam", "cars"),
    subset={"pcam": "every(k=2)", "*": "robustvlm(n=10)"},
    attacks=config.Attacks(names={"pcam": "fgsm", "*": ("pgd(steps=2)", "bim")}, epsilons=(0.1,)),
  )
  settings = config.checked(settings)
  assert config.attacks_on(settings, "pcam") == ("fgsm",)
  assert config.attacks_on(settings, "cars") == ("pgd(steps=2)", "bim")
  assert config.subset_on(settings, "pcam") == "every(k=2)"
  assert config.subset_on(settings, "cars") == "robustvlm(n=10)"
