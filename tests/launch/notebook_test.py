"""The Colab notebook, executed here: no checkout, no Drive, no download, few images."""

import importlib.metadata
import pathlib
import shutil
import subprocess
import sys

import nbclient
import nbformat
import pytest
from references.command import ROOT

from jaxbench import records

FAST = [
  "--config.models=digits-resnet",
  "--config.corruptions.names=contrast",
  "--config.corruptions.severities=5",
  "--config.attacks.names=fgsm",
  "--config.attacks.epsilons=8/255",
  "--config.limit=8",
]


def _notebook():
  return nbformat.read(ROOT / "launch/colab_tpu.ipynb", as_version=4)


def _outputs(cell):
  return "".join(output.get("text", "") for output in cell.outputs)


@pytest.fixture
def package(tmp_path):
  """A folder in which pip has installed the wheel."""
  source = tmp_path / "source"  # Building leaves files behind.
  for name in ("configs", "jaxbench", "third_party"):
    shutil.copytree(ROOT / name, source / name)
  for name in ("README.md", "pyproject.toml", "setup.py"):
    shutil.copy(ROOT / name, source)
  pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
  offline = ["--no-deps", "--no-index", "--no-build-isolation"]
  subprocess.run([*pip, "install", *offline, f"--target={tmp_path}/site", source], check=True)
  return tmp_path / "site"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_the_notebook_runs_without_a_checkout_and_shows_the_report(package, tmp_path, monkeypatch):
  monkeypatch.setenv("PYTHONPATH", str(package))
  notebook = _notebook()
  (parameters,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ())]
  workdir = tmp_path / "results"
  values = {"WORKDIR": str(workdir), "FLAGS": FAST}
  parameters.source += "".join(f"\n{name} = {value!r}" for name, value in values.items())
  (quickstart,) = [cell for cell in notebook.cells if 'evaluate("quickstart"' in cell.source]
  quickstart.source += "\nprint(configs)"
  client = nbclient.NotebookClient(notebook, resources={"metadata": {"path": tmp_path}})
  client.execute()
  shown = [output["data"]["text/html"] for output in quickstart.outputs if "data" in output]
  assert len(shown) == 1
  assert "&lt;!doctype html&gt;" in shown[0].lower()
  assert "report: " in _outputs(quickstart)
  assert str(package / "jaxbench/configs") in _outputs(quickstart)
  assert records.read(workdir / "quickstart").num_rows == 3 * 8
  assert "nothing is fetched" in _outputs(notebook.cells[-1])
  pinned = (tmp_path / "constraints.txt").read_text().splitlines()
  assert {line.split("==")[0] for line in pinned} >= {"jax", "jaxlib", "flax", "numpy"}
  assert not any(line.startswith("jaxbench") for line in pinned)


def _installed(source, folder, monkeypatch):
  """What the second cell has pip install, where there is no jaxbench yet."""
  commands = []
  monkeypatch.chdir(folder)
  monkeypatch.setattr(importlib.metadata, "distributions", list)
  monkeypatch.setattr(subprocess, "run", lambda command, check: commands.append(command))
  _, cell = [cell for cell in _notebook().cells if cell.cell_type == "code"][:2]
  exec(cell.source, {"SOURCE": source, "WORKDIR": str(folder)})
  ((*pip, constraints, what),) = commands
  assert pip == [sys.executable, "-m", "pip", "install", "--quiet", "-c"]
  assert pathlib.Path(constraints).exists()
  return what


@pytest.mark.parametrize(
  ("source", "what"),
  [
    ("https://host/it/jaxbench", "git+https://host/it/jaxbench"),
    ("git+ssh://host/jaxbench.git@main", "git+ssh://host/jaxbench.git@main"),
    ("https://host/jaxbench-1-py3-none-any.whl", "https://host/jaxbench-1-py3-none-any.whl"),
    ("dist/jaxbench-1-py3-none-any.whl", "dist/jaxbench-1-py3-none-any.whl"),
    (str(ROOT), str(ROOT)),
  ],
)
def test_it_installs_what_the_source_names(source, what, tmp_path, monkeypatch):
  assert _installed(source, tmp_path, monkeypatch) == what


def test_it_installs_the_checkout_around_it_or_asks_for_a_source(tmp_path, monkeypatch):
  (tmp_path / "launch").mkdir()
  with pytest.raises(AssertionError, match="SOURCE must name jaxbench"):
    _installed("", tmp_path / "launch", monkeypatch)
  (tmp_path / "setup.py").touch()
  assert _installed("", tmp_path / "launch", monkeypatch) == str(tmp_path)
