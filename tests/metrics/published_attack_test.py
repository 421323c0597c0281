"""Spellings of AutoAttack, compared as text and as the attacks that they build."""

import itertools

import pytest

from jaxbench import attacks, spec
from jaxbench.metrics import published

STANDARD = "('apgd-ce', 'apgd-t', 'fab-t', 'square')"
OF_FARE = "autoattack(attacks=('apgd-ce', 'apgd-t'), restarts=5)"
SPELLINGS = (
  "autoattack",
  "autoattack(norm='linf', version='standard')",
  "autoattack(norm='l2')",
  "autoattack(norm='l2', targets=9)",
  "autoattack(norm='l1')",
  "autoattack(norm='l1', restarts=5)",
  "autoattack(norm='l1', targets=9)",
  "autoattack(version='plus')",
  f"autoattack(attacks={STANDARD}, restarts=1, queries=5000)",
  f"autoattack(version='plus', attacks={STANDARD})",
  f"autoattack(version='plus', attacks={STANDARD}, restarts=1)",
  "autoattack(steps=99)",
  "autoattack(queries=4999)",
  OF_FARE,
  "autoattack(restarts=5, attacks=('apgd-ce', 'apgd-t'), steps=100)",
  "autoattack(attacks=('apgd-ce', 'apgd-t'), restarts=5, queries=10)",
  "autoattack(attacks=('apgd-ce',), restarts=5)",
  "square",
  "pgd(steps=2)",
)


@pytest.mark.slow
@pytest.mark.parametrize(("first", "second"), list(itertools.combinations(SPELLINGS, 2)))
def test_attacks_are_the_same_where_they_are_built_the_same(first, second):
  specs = [spec.resolve(text, attacks.ATTACKS, "attack") for text in (first, second)]
  built = [spec.build(resolved) for resolved in specs]
  assert published.same_attack(first, specs[0].full, second) == (built[0] == built[1])
