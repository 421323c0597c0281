"""`@pytest.mark.usual("pgd", "fab, *")`: of a test's many cases those that every run has.

The others are as good, and slow: `pytest -m slow` runs them. A plugin of pytest.
"""

import collections
import fnmatch

import pytest


@pytest.hookimpl(tryfirst=True)  # Before slow tests are taken out.
def pytest_collection_modifyitems(items):
  groups = collections.defaultdict(list)
  for item in items:
    if mark := item.get_closest_marker("usual"):
      groups[item.path, item.originalname].append((item, mark.args))
  for (path, name), cases in groups.items():
    unused = set(cases[0][1])
    for item, patterns in cases:
      fitting = {pattern for pattern in patterns if fnmatch.fnmatchcase(item.callspec.id, pattern)}
      unused -= fitting
      if not fitting:
        item.add_marker(pytest.mark.slow)
    if unused and len(cases) > 1:  # One alone has been asked for by its name.
      raise pytest.UsageError(f"{path}: {name} has no case {', '.join(sorted(unused))}")
