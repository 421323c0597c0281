import pytest

from jaxbench import attacks, errors, spec


def test_spellings_of_one_attack_have_one_canonical_form():
  texts = ("pgd(norm='l2', steps=20)", 'pgd( steps = 20,norm="l2")')
  resolved = [spec.resolve(text, attacks.ATTACKS, "attack") for text in texts]
  assert {r.text for r in resolved} == {"pgd(steps=20, norm='l2')"}
  assert len({r.full for r in resolved}) == 1
  assert "random_start=True" in resolved[0].full
  assert spec.build(resolved[0]) is attacks.pgd(steps=20, norm="l2")


def test_a_default_that_is_spelled_out_changes_nothing_but_the_name():
  short, long = (
    spec.resolve(text, attacks.ATTACKS, "attack") for text in ("pgd", "pgd(norm='linf')")
  )
  assert short.text != long.text
  assert short.full == long.full


@pytest.mark.parametrize(
  ("text", "message"),
  [
    ("pdg", "unknown attack 'pdg'. Did you mean 'pgd'?"),
    ("pgd(step=3)", "unknown argument of attack pgd 'step'. Did you mean 'steps'?"),
    ("pgd(3)", "like pgd(steps=20)"),
    ("pgd(steps=", "like pgd(steps=20)"),
    ("pgd(steps=n)", "like pgd(steps=20)"),
    ("__import__('os').system('x')", "like pgd(steps=20)"),
  ],
)
def test_bad_specs_are_one_clear_line(text, message):
  with pytest.raises(errors.InputError) as error:
    spec.resolve(text, attacks.ATTACKS, "attack")
  assert message in str(error.value)


@pytest.mark.parametrize("text", ["pgd(steps='many')", "pgd(steps=[1])"])
def test_arguments_of_the_wrong_type_are_named(text):
  with pytest.raises(errors.InputError, match="pgd"):
    spec.build(spec.resolve(text, attacks.ATTACKS, "attack"))


def test_a_parameter_that_came_later_is_told_where_it_is_set():
  before = spec.resolve("pgd", attacks.ATTACKS, "attack").full
  assert before == (
    "pgd(steps=40, norm='linf', loss='cross_entropy', target=None, random_start=True, restarts=1, "
    "relative_step=2.5, keep_going=False)"  # Rows of runs are known by this text.
  )
  after = spec.resolve("pgd(step_size=0.1)", attacks.ATTACKS, "attack").full
  assert "step_size=0.1" in after
