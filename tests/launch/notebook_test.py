"""The Colab notebook, executed here: no Drive, no download, few images."""

import pathlib

import nbclient
import nbformat
import pytest

from jaxbench import records

ROOT = pathlib.Path(__file__).parents[2]
FAST = [
  "--config.models=digits-resnet",
  "--config.corruptions.names=contrast",
  "--config.corruptions.severities=5",
  "--config.attacks.names=fgsm",
  "--config.attacks.epsilons=8/255",
  "--config.limit=8",
]


def _outputs(cell):
  return "".join(output.get("text", "") for output in cell.outputs)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_the_notebook_runs_and_shows_the_report(tmp_path):
  notebook = nbformat.read(ROOT / "launch/colab_tpu.ipynb", as_version=4)
  (parameters,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ())]
  workdir = tmp_path / "results"
  values = {"SOURCE": str(ROOT), "WORKDIR": str(workdir), "FLAGS": FAST}
  parameters.source += "".join(f"\n{name} = {value!r}" for name, value in values.items())
  (quickstart,) = [cell for cell in notebook.cells if 'evaluate("quickstart"' in cell.source]
  client = nbclient.NotebookClient(notebook, resources={"metadata": {"path": tmp_path}})
  client.execute()
  shown = [output["data"]["text/html"] for output in quickstart.outputs if "data" in output]
  assert len(shown) == 1
  assert "&lt;!doctype html&gt;" in shown[0].lower()
  assert "report: " in _outputs(quickstart)
  assert records.read(workdir / "quickstart").num_rows == 3 * 8
  assert "nothing is fetched" in _outputs(notebook.cells[-1])
  pinned = (tmp_path / "constraints.txt").read_text().splitlines()
  assert {line.split("==")[0] for line in pinned} >= {"jax", "jaxlib", "flax", "numpy"}
  assert not any(line.startswith("jaxbench") for line in pinned)
