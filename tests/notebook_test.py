"""`jaxbench.evaluate`: the rows of a run by a config, from one call."""

import jax
import pytest

import jaxbench
from jaxbench import config, errors, models, plan, records
from jaxbench.evaluate import runner

SUITES = ["contrast", "pgd(steps=2)", "text(size=0.25)"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
  workdir = tmp_path_factory.mktemp("notebook") / "run"
  return jaxbench.evaluate("digits-resnet", suites=SUITES, limit=8, slots=8, workdir=workdir)


def test_its_rows_are_those_of_a_config(run, tmp_path):
  settings = config.checked(
    config.Config(
      models=("digits-resnet",),
      data=("digits",),
      corruptions=config.Corruptions(names=("contrast",)),
      attacks=config.Attacks(names=("pgd(steps=2)",), epsilons=(4 / 255,)),
      typography=("text(size=0.25)",),
      limit=8,
      slots=8,
    )
  )
  runner.run(settings, plan.make(settings), tmp_path / "run")
  assert run.rows.equals(records.read(tmp_path / "run"))


def test_it_shows_its_table_and_writes_its_page(run):
  told = repr(run.summary).splitlines()
  assert told[1].split()[:4] == ["data", "model", "prompts", "clean"]
  shown = run.summary._repr_html_()
  assert shown.count("<tr>") == len(told) - 1
  assert "<th>pgd(steps=2) 4/255</th>" in shown
  assert run.summary.table.num_rows == 8
  assert run.report().read_text().startswith("<!")


def test_a_model_of_the_notebook_stands_beside_one_by_name():
  weights = jax.random.normal(jax.random.key(0), (32 * 32 * 3, 10))
  network = jax.tree_util.Partial(lambda w, x: x.reshape(len(x), -1) @ w, weights)
  mine = models.Custom(network, models.Preprocess(32))
  run = jaxbench.evaluate([mine, "digits-resnet"], limit=8, slots=8)
  assert set(run.rows["model"].to_pylist()) == {"notebook:model-0", "digits-resnet"}


@pytest.mark.parametrize(
  ("arguments", "message"),
  [
    ({"suites": "fogg"}, "unknown suite 'fogg'. Did you mean 'fog'?"),
    ({"limits": 3}, "unknown setting 'limits'. Did you mean 'limit'?"),
    ({"data": "nowhere"}, "nowhere"),
  ],
)
def test_what_is_not_there_is_one_line(arguments, message):
  with pytest.raises(errors.InputError) as error:
    jaxbench.evaluate("digits-resnet", **arguments)
  assert message in str(error.value)


def test_a_model_of_another_process_is_told():
  with pytest.raises(errors.InputError, match="of another process"):
    models.load("notebook:gone")


def test_rooms_are_there_without_being_imported_and_nothing_else_is():
  assert jaxbench.attacks.pgd
  with pytest.raises(AttributeError, match="no attribute 'nothing'"):
    _ = jaxbench.nothing
