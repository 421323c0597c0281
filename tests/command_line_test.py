"""What `python -m jaxbench` says and refuses, in this process; see wrong_inputs_test.py too."""

import json
import pathlib
import sys

import pytest
from references.command import main

from jaxbench import plan
from jaxbench.evaluate import runner

ROOT = pathlib.Path(__file__).parents[1]
QUICKSTART, CLIP_AUTO = (
  f"--config={ROOT / 'configs' / name}.py" for name in ("quickstart", "clip_auto")
)
SMALL = (
  QUICKSTART,
  "--config.models=digits-resnet",
  "--config.corruptions.names=contrast",
  "--config.corruptions.severities=1",
  "--config.attacks.names=fgsm",
  "--config.attacks.epsilons=4/255",
  "--config.limit=4",
  "--config.slots=1",
)


@pytest.fixture
def command(capsys):
  """The program, which leaves JAX's settings and the flags of the process as they were."""

  def call(*arguments):
    return main(["--nocompilation_cache", *arguments]), *capsys.readouterr()

  return call


def test_it_is_quiet_or_tells_figures_as_json(command, tmp_path):
  workdir = f"--workdir={tmp_path / 'run'}"
  assert command(*SMALL, workdir, "--quiet") == (0, "", "")
  assert (tmp_path / "run" / "report.html").exists()
  status, out, _ = command(*SMALL, workdir, "--json")
  assert status == 0
  (run,) = json.loads(out)["runs"]
  assert run["classifiers"][0]["model"] == "digits-resnet"
  assert run["classifiers"][0]["figures"]["clean"]["value"] == 1.0


def test_a_share_of_each_data_set_may_be_asked_for(command):
  status, out, _ = command(*SMALL, "--config.limit=5%", "--plan")
  assert status == 0
  assert {line.split()[1] for line in out.splitlines() if "digits:clean" in line} == {"18"}


def _is_one_line(found, message):
  status, out, err = found
  assert (status, out) == (2, "")
  (line,) = err.strip().splitlines()
  assert line.startswith("jaxbench: ")
  assert message in line


@pytest.mark.parametrize(
  ("written", "message"),
  [
    ("Config(modles=('a',))", "unknown field of Config 'modles'. Did you mean 'models'?"),
    ("Config(attacks=config.Attacks(nmes=()))", "unknown field of Attacks 'nmes'. Did you mean"),
    ("Config(models=1/0)", "ZeroDivisionError: division by zero"),
    ("Cnofig()", "has no attribute 'Cnofig'"),
  ],
)
def test_a_mistake_in_a_config_is_one_line(written, message, command, tmp_path):
  file = tmp_path / "mine.py"
  file.write_text(f"from jaxbench import config\ndef get_config():\n  return config.{written}\n")
  _is_one_line(command(f"--config={file}", f"--workdir={tmp_path / 'run'}"), message)


@pytest.mark.parametrize(
  ("named", "has", "lacks"),
  [(QUICKSTART, "attacks.names", "held_out"), (CLIP_AUTO, "held_out", "attacks.names")],
)
def test_an_unknown_field_is_told_with_those_of_its_config_alone(named, has, lacks, command):
  _, _, err = command(named, "--config.nothing=1")
  told, _, advice = err.rstrip("\n").rpartition("; ")
  fields = told.partition("Known: ")[2].split(", ")
  assert advice == "see --help"
  assert fields == sorted(set(fields))
  assert has in fields
  assert lacks not in fields


@pytest.fixture
def no_work(monkeypatch):
  def work(*_):
    raise AssertionError("work has begun")

  monkeypatch.setattr(plan, "make", work)


@pytest.mark.parametrize("flag", ["workdir", "compilation_cache_dir", "profile"])
@pytest.mark.parametrize(
  ("place", "message"),
  [
    ("gs://bucket/run", "gs:// needs a package: pip install jaxbench[tpu]"),
    ("xx://bucket/run", "xx:// is no store; write gs:// or s3://"),
    ("{file}/run", "cannot be used: Not a directory"),
  ],
)
def test_a_place_that_cannot_be_used_is_told_early(
  flag, place, message, command, tmp_path, monkeypatch, no_work
):
  monkeypatch.setitem(sys.modules, "gcsfs", None)  # As if it were not installed.
  monkeypatch.setattr(sys.modules["fsspec.registry"], "registry", {})
  (tmp_path / "file").write_text("")
  named = {"workdir": tmp_path / "run", flag: place.format(file=tmp_path / "file")}
  found = command(*SMALL, *(f"--{name}={value}" for name, value in named.items()))
  _is_one_line(found, f"--{flag}=")
  assert message in found[2]


def _frost(tmp_path, *names):
  (tmp_path / "none").mkdir()
  asked = [f"--config.corruptions.names={name}" for name in names]
  small = [one for one in SMALL if "names=" not in one]
  textures = f"--config.corruptions.textures={tmp_path / 'none'}"
  return (*small, *asked, "--config.attacks.names=", textures, f"--workdir={tmp_path / 'run'}")


@pytest.mark.slow
def test_what_is_absent_is_told_before_and_after(command, tmp_path):
  status, out, err = command(*_frost(tmp_path, "contrast", "frost"))
  assert status == 0
  assert err.splitlines()[0].startswith("jaxbench: cannot be run: frost: ")
  (line,) = [line for line in out.splitlines() if line.startswith("absent: ")]
  assert line.startswith("absent: frost: ")


def test_a_suite_that_is_wholly_absent_is_refused(command, tmp_path, no_run):
  arguments = _frost(tmp_path, "frost")
  _is_one_line(command(*arguments), "nothing of --config.corruptions.names can be run. frost: ")
  assert not (tmp_path / "run").exists()


@pytest.fixture
def no_run(monkeypatch):
  def run(*_):
    raise AssertionError("it is run")

  monkeypatch.setattr(runner, "run", run)


def test_what_is_available_is_run_if_that_was_asked_for(command, tmp_path):
  status, out, _ = command(*_frost(tmp_path, "frost"), "--config.available")
  assert status == 0
  assert "absent: frost: " in out


def test_a_suite_that_could_not_be_run_after_all_is_told_in_the_end(command, tmp_path):
  """Which words fit on an image is known when it is seen."""
  small = [one for one in SMALL if "names=" not in one]
  asked = ("--config.corruptions.names=", "--config.attacks.names=")
  arguments = (*small, *asked, "--config.typography=imagenet_t", f"--workdir={tmp_path / 'run'}")
  status, out, err = command(*arguments)
  assert status == 2
  assert "absent: digits-resnet:supervised:digits:imagenet_t" in out
  assert out.splitlines()[-1].startswith("report: ")
  last = err.splitlines()[-1]
  assert last.startswith("jaxbench: nothing of --config.typography can be run. digits-resnet:")
  assert "cannot write 'stingray'" in last
