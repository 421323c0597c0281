import dataclasses

import numpy as np
import pytest

from jaxbench import config, data, errors, models, plan
from jaxbench.plan import cost, suites


def _settings(**changes) -> config.Config:
  base = config.Config(
    models=("digits-clip", "digits-resnet"),
    data=("digits",),
    prompts=("simple", "openai_80"),
    corruptions=config.Corruptions(names=("contrast",), severities=(1, 5)),
    attacks=config.Attacks(names=("pgd(steps=3)",), epsilons=(1 / 255, 4 / 255)),
    limit=50,
  )
  return config.checked(dataclasses.replace(base, **changes))


def _ids(**changes) -> set[str]:
  return {cell.id for cell in plan.make(_settings(**changes)).cells}


def test_cells_are_the_product_and_supervised_models_use_no_prompts():
  cells = plan.make(_settings()).cells
  assert len(cells) == 3 * (1 + 2 + 2)
  assert len({cell.id for cell in cells}) == len(cells)
  assert {c.prompts for c in cells if c.model == "digits-resnet"} == {None}
  assert all(cell.examples == 50 for cell in cells)


def test_models_that_share_images_stand_together():
  made = (cell.perturbation for cell in plan.make(_settings()).cells)
  perturbations = [(one.text, one.setting) for one in made]
  assert perturbations == sorted(perturbations, key=perturbations.index)


def test_ids_are_readable_and_stable():
  (cell,) = [c for c in plan.make(_settings()).cells if "simple" in c.id and "@4/255" in c.id]
  assert cell.id.startswith("digits-clip:simple:digits:pgd(steps=3)@4/255#")
  assert _ids() == _ids()


@pytest.mark.parametrize(
  "changes",
  [
    {"seed": 1},
    {"corruptions": config.Corruptions(names=("contrast",), severities=(1, 5), variant="cifar")},
  ],
)
def test_what_can_change_a_number_changes_its_cell(changes):
  corrupted = {cell for cell in _ids() if "contrast" in cell}
  assert not corrupted & _ids(**changes)


def test_weights_decide_the_id(monkeypatch):
  before = _ids()
  describe = models.describe
  monkeypatch.setattr(
    models, "describe", lambda name, **_: dataclasses.replace(describe(name), sha256="0" * 64)
  )
  assert not before & _ids()


def test_what_shapes_a_model_decides_the_id(monkeypatch):
  """The same tensors mean something else under another activation."""
  before = {cell for cell in _ids() if "clip" in cell}
  describe = models.describe

  def other(name, **_):
    described = describe(name)
    if isinstance(described.config, models.ResNetConfig):
      return described
    vision = dataclasses.replace(described.config.vision, activation="gelu")
    shape = dataclasses.replace(described.config, vision=vision)
    return dataclasses.replace(described, config=shape)

  monkeypatch.setattr(models, "describe", other)
  assert not before & _ids()


def test_a_search_for_the_smallest_epsilon_goes_up_to_the_largest():
  searching = config.Attacks(smallest=("pgd(steps=3, norm='l2')",), epsilons=(0.1, 0.5, 0.2))
  cells = plan.make(_settings(attacks=searching, models=("digits-resnet",))).cells
  (cell,) = [cell for cell in cells if cell.perturbation.kind == "smallest"]
  perturbation = cell.perturbation
  assert perturbation.text == "smallest(pgd(steps=3, norm='l2'))"
  assert (perturbation.norm, perturbation.epsilon, perturbation.tolerance) == ("l2", 0.5, 1 / 2550)
  coarse = dataclasses.replace(searching, tolerance=0.1)
  assert cell.id not in _ids(attacks=coarse, models=("digits-resnet",))


def test_what_does_not_change_a_number_leaves_its_cell():
  assert _ids() == _ids(slots=7, block=13, limit=10, gallery=0)


def test_one_attack_in_two_spellings_is_refused():
  attacks = config.Attacks(names=("pgd(steps=3,norm='l2')", "pgd(norm='l2', steps=3)"))
  with pytest.raises(errors.InputError, match="asks twice for digits-clip:simple:digits:pgd"):
    plan.make(_settings(attacks=attacks))


def test_a_model_of_another_label_space_is_absent_with_the_reason(monkeypatch):
  class Two(data.Digits):
    class_names = ("zero", "one")

  monkeypatch.setitem(data.DATA_SETS, "digits", Two)
  made = plan.make(_settings())
  assert {cell.model for cell in made.cells} == {"digits-clip"}
  assert made.absent == (
    plan.Absent("digits-resnet on digits", "it has 10 classes, the data set 2"),
  )


def test_a_class_that_a_cut_clip_cannot_read_is_absent_with_the_reason(monkeypatch):
  class Animals(data.Digits):
    class_names = tuple(f"animal {i}" for i in range(10))

  monkeypatch.setitem(data.DATA_SETS, "digits", Animals)
  made = plan.make(_settings())
  assert {cell.model for cell in made.cells} == {"digits-resnet"}
  assert len(made.absent) == 2
  assert "cannot read 'a photo of a animal 0.'" in made.absent[0].reason


@pytest.mark.parametrize(
  ("value", "expected"),
  [
    (("(4/255,)",), (4 / 255,)),
    (("4/255,8/255",), (4 / 255, 8 / 255)),
    (("(1/255, 2/255)",), (1 / 255, 2 / 255)),
    ((0.1,), (0.1,)),
    ((0.1, "1/2"), (0.1, 0.5)),
    (("0.25 0.5",), (0.25, 0.5)),
  ],
)
def test_epsilons_as_people_write_them(value, expected):
  attacks = config.Attacks(names=("fgsm",), epsilons=value)
  np.testing.assert_allclose(_settings(attacks=attacks).attacks.epsilons, expected)


def test_epsilons_beyond_all_pixels_are_of_norms_that_add_pixels_up():
  wide = config.Attacks(names=("pgd(steps=3, norm='l2')",), epsilons=(3.0,))
  cells = [
    cell for cell in plan.make(_settings(attacks=wide)).cells if cell.perturbation.kind == "attack"
  ]
  assert {(cell.perturbation.norm, cell.perturbation.epsilon) for cell in cells} == {("l2", 3.0)}
  for asked in ({"names": ("pgd(steps=3)",)}, {"transfer": ("mim(steps=3)",)}):
    wrong = _settings(attacks=config.Attacks(epsilons=(3.0,), **asked))
    with pytest.raises(errors.InputError, match="write 4/255 for four grey levels"):
      plan.make(wrong)


def test_lists_of_names_as_people_write_them():
  attacks = config.Attacks(names=("pgd(steps=3,norm='l2'),fgsm",))
  settings = _settings(models=("digits-clip, digits-resnet",), attacks=attacks)
  assert settings.models == ("digits-clip", "digits-resnet")
  assert settings.attacks.names == ("pgd(steps=3,norm='l2')", "fgsm")


@pytest.mark.parametrize(
  ("changes", "message"),
  [
    ({"models": ()}, "--config.models is empty"),
    ({"models": ("",)}, "--config.models is empty"),
    ({"models": (3,)}, "--config.models: (3,) is not a list of names"),
    ({"models": ("digits-clip,digits-clip",)}, "--config.models names digits-clip twice"),
    ({"models": ("digits-clap",)}, "Did you mean 'digits-clip'?"),
    ({"data": ("digit",)}, "Did you mean 'digits'?"),
    ({"prompts": ("simpel",)}, "Did you mean 'simple'?"),
    ({"corruptions": config.Corruptions(names=("contrst",))}, "Did you mean 'contrast'?"),
    (
      {"corruptions": config.Corruptions(names=("contrast",), variant="x")},
      "unknown variant 'x'",
    ),
    ({"corruptions": config.Corruptions(severities=(0,))}, "severities go from 1 to 5"),
    ({"corruptions": config.Corruptions(severities=(1.5,))}, "not a whole number"),
    ({"attacks": config.Attacks(names=("pdg",))}, "Did you mean 'pgd'?"),
    ({"attacks": config.Attacks(epsilons=("4:255",))}, "--config.attacks.epsilons: '4:255'"),
    ({"attacks": config.Attacks(epsilons=("4/0",))}, "--config.attacks.epsilons: '4/0'"),
    ({"attacks": config.Attacks(epsilons=(8.0,))}, "write 4/255 for four grey levels"),
    ({"attacks": config.Attacks(epsilons=(0.1, 0.1))}, "names 0.1 twice"),
    ({"attacks": config.Attacks(tolerance=0.0)}, "--config.attacks.tolerance must be > 0"),
    ({"attacks": config.Attacks(names=("fgsm",), epsilons=())}, "epsilons is empty"),
    ({"attacks": config.Attacks(smallest=("autoattack",))}, "is several attacks in a row"),
    ({"slots": -1}, "--config.slots=-1 must be a whole number >= 0"),
    ({"limit": 1.5}, "--config.limit=1.5 must be a whole number"),
    ({"limit": "0%"}, "--config.limit='0%' must be a whole number >= 0, or a share, as 1%"),
    ({"limit": "120%"}, "--config.limit='120%' must be"),
    ({"seed": -1}, "--config.seed=-1"),
  ],
)
def test_bad_values_are_one_clear_line_that_names_the_field(changes, message):
  with pytest.raises(errors.InputError) as error:
    plan.make(_settings(**changes))
  assert message in str(error.value)


def test_every_field_has_a_dotted_name():
  names = config.fields(config.Config)
  assert {"models", "corruptions.severities", "attacks.epsilons", "seed"} <= set(names)


def test_the_estimate_tells_cells_passes_and_time():
  made = plan.make(_settings())
  text = "\n".join(cost.lines(made))
  assert all(cell.id in text for cell in made.cells)
  forwards = sum(cell.examples * cell.perturbation.forwards for cell in made.cells)
  assert f"at most {forwards:,} forward" in text
  assert "CPU cores" in text


def test_operations_are_counted_as_by_hand():
  """A ResNet's stem alone: 2 * 16 * 16 outputs * 7 * 7 * 3 inputs * 16 channels."""
  stem = 2 * 16 * 16 * 7 * 7 * 3 * 16
  assert stem < cost.forward_flops("digits-resnet") < 4 * stem
  tokens, width = 17, 64
  last = 2 * tokens + 10  # Of the last block only the class token's output is needed.
  blocks = 2 * (2 * tokens * 12 + last) * width * width
  assert blocks < cost.forward_flops("digits-clip") < 1.5 * blocks


def test_an_attack_on_randomised_classifiers_is_refused_with_one_line():
  rand = config.Attacks(names=("autoattack(version='rand')",))
  settings = config.Config(models=("digits-resnet",), data=("digits",), attacks=rand)
  settings = config.checked(settings)
  made = plan.make(settings)
  assert {cell.perturbation.kind for cell in made.cells} == {"clean"}
  with pytest.raises(errors.InputError, match="draws are for randomised models"):
    suites.require(settings, made.cells, made.absent)


def _transfer(*specs, surrogates=(), **changes):
  attacks = config.Attacks(transfer=specs, surrogates=surrogates, epsilons=(4 / 255, 8 / 255))
  return plan.make(_settings(attacks=attacks, **changes))


def _transferred(made):
  return [cell for cell in made.cells if cell.perturbation.members]


def _passes(cell):
  return cell.perturbation.forwards, cell.perturbation.backwards


def test_transfer_is_all_models_to_all_and_never_stops_early():
  cells = _transferred(_transfer("mim(steps=3)", "fgsm"))
  assert len(cells) == 2 * 2 * 2 * 3  # Attacks, epsilons, surrogates; targets with their prompts.
  assert {cell.seen_by for cell in cells} == {"digits-clip", "digits-resnet"}
  assert {cell.perturbation.text for cell in cells} == {
    f"transfer({attack}, {surrogate})"
    for attack in ("mim(steps=3)", "fgsm")
    for surrogate in ("digits-clip", "digits-resnet")
  }
  assert all("keep_going=True" in cell.perturbation.stream for cell in cells)
  assert {_passes(cell) for cell in cells} == {(1 + 1 + 3, 3), (1 + 1 + 2, 2)}


def test_an_ensemble_costs_the_passes_of_all_its_members():
  names = ("digits-clip-robust + digits-resnet",)
  cells = _transferred(_transfer("bim(steps=3)", surrogates=names))
  assert {cell.perturbation.member_names for cell in cells} == {
    (config.Member("digits-clip-robust", "simple"), config.Member("digits-resnet", None))
  }
  assert {_passes(cell) for cell in cells} == {(1 + 2 * 4, 2 * 3)}


def test_the_estimate_counts_images_for_transfer_once_and_on_their_surrogate(monkeypatch):
  made = _transfer("bim(steps=3)", surrogates=("digits-clip-robust",))
  asked = []
  monkeypatch.setattr(cost, "forward_flops", lambda name: asked.append(name) or 1)
  text = "\n".join(cost.lines(made))
  assert set(asked) == {"digits-clip", "digits-resnet", "digits-clip-robust"}
  forwards = 50 * (3 * (1 + 2) + 2 * (3 + 1 + 3))  # Clean, corrupted, and at both epsilons.
  assert f"at most {forwards:,} forward and {50 * 2 * 3:,} backward" in text


def test_weights_of_a_surrogate_decide_the_id(monkeypatch):
  names = ("digits-clip-robust",)
  before = {cell.id for cell in _transferred(_transfer("fgsm", surrogates=names))}
  describe = models.describe

  def other(name, **_):
    described = describe(name)
    changed = {"sha256": "0" * 64} if name in names else {}
    return dataclasses.replace(described, **changed)

  monkeypatch.setattr(models, "describe", other)
  after = _transfer("fgsm", surrogates=names).cells
  assert not before & {cell.id for cell in after}
  assert {cell.id for cell in after if not cell.perturbation.members} <= _ids()


def test_other_targets_leave_a_transfer_as_it_is():
  one = _transferred(_transfer("fgsm", surrogates=("digits-clip",), models=("digits-resnet",)))
  two = _transferred(_transfer("fgsm", surrogates=("digits-clip", "digits-resnet")))
  assert {cell.id for cell in one} < {cell.id for cell in two}


def test_a_surrogate_of_other_classes_is_absent_by_name(monkeypatch):
  class Pair(data.Digits):
    class_names = ("zero", "one")

  monkeypatch.setitem(data.DATA_SETS, "digits", Pair)
  made = _transfer("fgsm", surrogates=("digits-clip", "digits-clip+digits-resnet"))
  assert {cell.seen_by for cell in _transferred(made)} == {"digits-clip"}
  assert made.absent[-1] == plan.Absent(
    "transfer from digits-clip+digits-resnet on digits",
    "digits-resnet: it has 10 classes, the data set 2",
  )


@pytest.mark.parametrize(
  ("text", "message"),
  [
    ("cw", "cw has no transfer: it looks for the smallest perturbation"),
    ("fab(steps=3)", "fab(steps=3) has no transfer: it looks for the smallest"),
    ("square", "square has no transfer: it stops where it fools its surrogate"),
    ("autoattack", "autoattack has no transfer: it stops"),
    ("bim(keep_going=False)", "keep_going=False stops where"),
    ("fgsn", "Did you mean 'fgsm'?"),
  ],
)
def test_attacks_without_transfer_are_refused_with_one_line(text, message):
  with pytest.raises(errors.InputError) as error:
    _transfer(text)
  assert message in str(error.value)


def test_an_unknown_surrogate_is_one_clear_line():
  with pytest.raises(errors.InputError, match="Did you mean 'digits-clip'"):
    _transfer("fgsm", surrogates=("digits-resnet+digits-clap",))


def test_surrogates_may_know_other_prompts_or_none():
  names = ("digits-clip", "digits-clip[openai_80]", "digits-clip-robust [ embedding ]")
  made = _transfer("apgd(steps=3)", "mim(steps=3)", surrogates=names)
  cells = _transferred(made)
  assert {cell.perturbation.member_names for cell in cells} == {
    (config.Member("digits-clip", "simple"),),
    (config.Member("digits-clip", "openai_80"),),
    (config.Member("digits-clip-robust", "embedding"),),
  }
  assert {cell.perturbation.knowledge for cell in cells} == {
    "the weights of digits-clip, prompts simple",
    "the weights of digits-clip, prompts openai_80",
    "the image encoder of digits-clip-robust, no prompts",
  }
  encoder = [cell for cell in cells if "embedding" in cell.seen_by]
  assert {cell.perturbation.attack for cell in encoder} == {"apgd(steps=3)"}
  assert all("loss='distance'" in cell.perturbation.stream for cell in encoder)
  # The target looks once; the encoder twice at each of the steps, and once at the end.
  assert {_passes(cell) for cell in encoder} == {(1 + 1 + 2 * 4, 4)}
  (absent,) = [one for one in made.absent if "embedding" in one.what]
  assert absent.what.startswith("transfer of mim(steps=3) from digits-clip-robust")
  assert "pgd and apgd can attack embeddings" in absent.reason


@pytest.mark.parametrize(
  ("attack", "surrogate", "reason"),
  [
    ("pgd(loss='dlr')", "digits-clip[embedding]", "its loss 'dlr' needs classes"),
    ("pgd", "digits-resnet[embedding]", "a supervised model has no embeddings"),
    ("pgd", "digits-resnet[simple]", "a supervised model has no prompts"),
    ("pgd", "digits-clip[embedding]+digits-resnet", "embeddings of several models have no mean"),
    ("pgd", "digits-resnet+digits-clip[embedding]", "embeddings of several models have no mean"),
  ],
)
def test_what_a_surrogate_cannot_know_is_absent_with_the_reason(attack, surrogate, reason):
  made = _transfer(attack, surrogates=(surrogate,))
  assert not _transferred(made)
  assert [reason in one.reason for one in made.absent] == [True]


def test_unknown_prompts_of_a_surrogate_are_one_clear_line():
  with pytest.raises(errors.InputError, match="Did you mean 'simple'"):
    _transfer("pgd", surrogates=("digits-clip[simpel]",))


@pytest.mark.parametrize(
  ("attack", "knowledge"),
  [
    ("autoattack", "everything: weights and, of a zero-shot classifier, prompts"),
    ("square", "the logits of each query"),
    ("hopskipjump", "the predicted class of each query"),
  ],
)
def test_a_cell_tells_what_its_attacker_knows(attack, knowledge):
  cells = plan.make(_settings(attacks=config.Attacks(names=(attack,)))).cells
  assert {cell.perturbation.knowledge for cell in cells} == {None, knowledge}


def test_small_images_may_be_perturbed_at_their_own_size():
  usual, native = plan.make(_settings()).cells, plan.make(_settings(native=True)).cells
  assert {cell.preprocess.size for cell in usual} == {32}
  assert {cell.preprocess for cell in native} == {models.Preprocess(8)}
  assert {cell.native for cell in usual} == {None}
  assert {cell.native for cell in native} == {8}
  assert not {cell.id for cell in usual} & {cell.id for cell in native}


def test_a_plan_says_where_epsilons_are_not_those_at_a_models_size():
  usual, native = (plan.make(_settings(native=asked)) for asked in (False, True))
  told = "digits: perturbed at the images' own 8 x 8 pixels; the model resizes them inside"
  assert not list(plan.native(usual))
  assert [line for line in cost.lines(native) if line.startswith(told)]
  assert not [line for line in cost.lines(usual) if "own 8 x 8" in line]
