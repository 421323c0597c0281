"""Which word is written, and that nothing depends on the batch."""

import numpy as np
import pytest

from jaxbench import errors, spec, typography

NAMES = ("cat", "dog", "missile", "crane", "Missile", "horse")  # The fifth is the third's twin.
IDS = [f"set/{i:03d}" for i in range(60)]
LABELS = np.arange(60) % 6
IMAGES = np.random.default_rng(1).integers(0, 256, (60, 40, 40, 3)).astype(np.uint8)
LOGITS = np.random.default_rng(2).normal(size=(60, 6)).astype(np.float32)
RULES = (
  typography.text(),
  typography.text(target="second", copies=2),
  typography.text(classes=("dog", "horse")),
  typography.text(classes=("cat",), place="center"),
)


def _attack(overlay, rows=slice(None), seed=0):
  ids = np.array(IDS)[rows].tolist()
  inputs = (IMAGES[rows], ids, LABELS[rows], NAMES)
  return typography.attack(overlay, *inputs, seed=seed, logits=LOGITS[rows])


def _called_alike(one, other):
  return NAMES[one].lower() == NAMES[other].lower()


@pytest.mark.parametrize("overlay", RULES)
def test_an_example_has_the_same_word_and_places_in_any_batch(overlay):
  drawn, targets = _attack(overlay)
  assert (drawn.dtype, drawn.shape, targets.dtype) == (np.uint8, IMAGES.shape, np.int32)
  order = np.random.default_rng(3).permutation(60)
  for rows in (order, order[:7], [int(order[0])]):
    part, chosen = _attack(overlay, rows)
    np.testing.assert_array_equal(part, drawn[rows])
    np.testing.assert_array_equal(chosen, targets[rows])


@pytest.mark.parametrize("overlay", RULES)
def test_a_target_is_never_called_like_the_label_and_is_the_first_of_its_name(overlay):
  for seed in range(5):
    targets = _attack(overlay, seed=seed)[1]
    assert not any(map(_called_alike, targets, LABELS))
    assert 4 not in targets


def test_what_is_drawn_is_the_name_of_the_target():
  overlay = typography.text(copies=2)
  drawn, targets = _attack(overlay, seed=7)
  for row in (0, 11):
    expected = overlay.write(IMAGES[row], NAMES[targets[row]], IDS[row], 7)
    np.testing.assert_array_equal(drawn[row], expected)


def test_random_words_depend_on_the_seed_alone_and_are_uniform():
  words = typography.text().words
  ids = [f"{i}" for i in range(5000)]
  labels = np.zeros(5000, np.int32)
  targets = words.choose(ids, labels, NAMES, seed=1)
  counts = np.bincount(targets, minlength=6)
  assert counts[[0, 4]].tolist() == [0, 0]
  assert (np.abs(counts[[1, 2, 3, 5]] - 1250) < 5 * np.sqrt(1250)).all()
  assert (targets != words.choose(ids, labels, NAMES, seed=2)).mean() > 0.7
  other = typography.text(size=0.3, copies=9).words
  np.testing.assert_array_equal(targets, other.choose(ids, labels, NAMES, seed=1))


def test_the_second_best_is_the_likeliest_class_besides_the_label():
  targets = typography.text(target="second").words.choose(IDS, LABELS, NAMES, logits=LOGITS)
  for target, label, logits in zip(targets, LABELS, LOGITS, strict=True):
    ranked = [one for one in np.argsort(-logits) if one != 4 and not _called_alike(one, label)]
    assert target == ranked[0]
  with pytest.raises(ValueError, match="needs the logits"):
    typography.text(target="second").words.choose(IDS, LABELS, NAMES)


def test_a_fixed_class_is_written_on_all_but_its_own_examples():
  targets = _attack(typography.text(classes=("cat",)))[1]
  assert (targets[LABELS != 0] == 0).all()
  assert len(set(targets[LABELS == 0].tolist())) > 1


@pytest.mark.parametrize(
  ("text", "message"),
  [
    ("text(classes=())", "list of classes to write is empty"),
    ("text(classes='dog')", "must be a tuple of names"),
    ("text(target='third')", "unknown target 'third'"),
    ("text(font='nowhere.ttf')", "font 'nowhere.ttf': no such file"),
    ("text(fond='x')", "Did you mean 'font'"),
    ("text(size='big')", "size='big' must be a number"),
  ],
)
def test_a_bad_spec_is_one_clear_line(text, message):
  with pytest.raises(errors.InputError, match=message):
    spec.build(spec.resolve(text, typography.OVERLAYS, "overlay"))


def test_a_list_must_fit_the_data_set():
  with pytest.raises(errors.InputError, match=r"cannot write 'dgo'.* but 'dog' for one"):
    _attack(typography.text(classes=("cat", "dgo")))
  with pytest.raises(errors.InputError, match="no class but 'a'"):
    typography.text().words.choose(["0"], [0], ("a", "A"))
