"""Seconds of CPU by test file, so that no file grows unnoticed; a plugin of pytest.

What a test starts counts too; slow tests do not. The budget of a file is what it took with cold
caches on two cores, rounded up; a file fails at three times that, for slower processors.
"""

import collections
import resource

import pytest

USUAL = 20  # Of a file that is not named.
BUDGETS = {
  "cli_test.py": 150,  # Some twenty processes.
  "attacks/laws_test.py": 70,  # A program for each attack.
  "attacks/contract_test.py": 50,
  "evaluate/transfer_test.py": 50,
  "evaluate/defended_test.py": 50,
  "evaluate/runner_test.py": 50,
  "report/report_test.py": 40,
  "evaluate/galleries_test.py": 40,
  "defences/contract_test.py": 40,
  "evaluate/several_hosts_test.py": 45,
  "evaluate/natural_test.py": 30,
  "evaluate/text_attacks_test.py": 30,
  "attacks/mutations_test.py": 30,
  "corruptions/contract_test.py": 30,
  "prompt_search/search_test.py": 30,
  "models/weights/fields_test.py": 30,
}
FACTOR = 3
_SHOWN = 10

_BEGAN = pytest.StashKey[float]()
_spent = collections.Counter()


def _seconds():
  kinds = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN
  return sum(used.ru_utime + used.ru_stime for used in map(resource.getrusage, kinds))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item):
  """In the process that runs a test, before its fixtures are made."""
  item.stash[_BEGAN] = _seconds()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(item, call):
  """The reports of a test go to the process that sums them up."""
  if call.when == "teardown" and not item.get_closest_marker("slow"):
    item.user_properties.append(("cpu", _seconds() - item.stash[_BEGAN]))


def pytest_runtest_logreport(report):
  if report.when == "teardown" and "cpu" in (told := dict(report.user_properties)):
    _spent[report.nodeid.partition("::")[0].removeprefix("tests/")] += told["cpu"]


def _over():
  return [file for file in _spent if _spent[file] > FACTOR * BUDGETS.get(file, USUAL)]


def pytest_sessionfinish(session):
  if _over() and not hasattr(session.config, "workerinput"):
    session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter):
  terminalreporter.section("seconds of CPU by file")
  for file, seconds in _spent.most_common(_SHOWN):
    terminalreporter.line(f"{seconds:6.0f}  {file}")
  for file in _over():
    budget = BUDGETS.get(file, USUAL)
    terminalreporter.line(
      f"over budget: {file} took {_spent[file]:.0f} s of CPU, {FACTOR} times its {budget} s are "
      "allowed; make it faster, or say why in tests/references/budget.py",
      red=True,
    )
