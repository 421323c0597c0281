"""Blocks one by one, in any order and by several, make the rows of a run."""

import pytest

from jaxbench import config, plan, records, report
from jaxbench.evaluate import piecework, runner


@pytest.fixture(scope="module")
def planned():
  settings = config.checked(
    config.Config(
      models=("digits-resnet",),
      data=("digits",),
      corruptions=config.Corruptions(names=("contrast",), severities=(5,)),
      limit=10,
      block=4,
      slots=2,
    )
  )
  return settings, plan.make(settings)


def test_blocks_in_any_order_by_several_are_the_rows_of_a_run(planned, tmp_path):
  runner.run(*planned, tmp_path / "run")
  blocks = piecework.blocks(*planned)
  assert blocks == [("digits", 0), ("digits", 1), ("digits", 2)]
  several = [piecework.Piecework(*planned, tmp_path / "pieces") for _ in range(2)]
  several[0].run("digits", 2)
  several[1].run("digits", 0)
  rows = records.read(tmp_path / "pieces")
  assert rows.num_rows == 2 * (4 + 2)
  for block in blocks:  # Those with rows too.
    several[0].run(*block)
  assert records.read(tmp_path / "pieces").equals(records.read(tmp_path / "run"))
  sessions = records.load_run(tmp_path / "pieces")["sessions"]
  assert [session["seconds"] is None for session in sessions] == [False, False]
  report.write([tmp_path / "pieces"], tmp_path / "report.html")
