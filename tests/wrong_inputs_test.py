"""Wrong input to every command, in this process: one line that names it, status 2, no traceback.

The list is in wrong_inputs.txt: a command line, and below it, indented, what is told.
"""

import itertools
import json
import pathlib

import numpy as np
import pytest
from PIL import Image
from references.command import main
from safetensors import numpy as safetensors

from jaxbench import config, plan
from jaxbench.evaluate import runner

LINES = pathlib.Path(__file__).with_name("wrong_inputs.txt").read_text().splitlines()
LISTED = [
  (line, told.strip()) for line, told in itertools.pairwise(LINES) if line and line[0] not in "# "
]


@pytest.fixture(scope="module")
def here(tmp_path_factory):
  """A folder with what people name by mistake, and a finished run."""
  folder = tmp_path_factory.mktemp("wrong")
  for name in ("empty", "flat", "class/cat", "hub", "broken"):
    (folder / name).mkdir(parents=True)
  Image.new("RGB", (64, 64)).save(folder / "large.png")
  for name in ("flat/one.png", "class/cat/one.png"):
    Image.new("RGB", (8, 8)).save(folder / name)
  safetensors.save_file({"x": np.zeros((2, 2), np.float32)}, folder / "bare.safetensors")
  (folder / "cut.safetensors").write_bytes((folder / "bare.safetensors").read_bytes()[:40])
  np.savez(folder / "arrays.npz", images=np.zeros((1, 8, 8, 3), np.uint8))
  for name, content in {
    "text.txt": "hello\n",
    "page.png": "<html>404</html>",
    "no_place.txt": "a photo\n",
    "blank.txt": "\n",
    "hub/config.json": json.dumps({"model_type": "bert"}),
    "broken/config.json": "{",
    "nothing.py": "x = 1\n",
    "raises.py": "def get_model():\n  raise ValueError('no weights here')\n",
    "returns.py": "def get_model():\n  return 3\n",
    "syntax.py": "def get_model(:\n",
    "imports.py": "import nothing_of_this_name\n",
    "no_config.py": "def get_config():\n  return 3\n",
    "bad_config.py": "def get_config():\n  raise ValueError('no sizes here')\n",
  }.items():
    (folder / name).write_text(content)
  settings = config.checked(config.Config(models=("digits-resnet",), data=("digits",), limit=2))
  runner.run(settings, plan.make(settings), folder / "run")
  return folder


@pytest.fixture
def no_work(monkeypatch):
  """No evaluation begins."""

  def begin(*_, **__):
    raise AssertionError("work has begun")

  monkeypatch.setattr(runner, "run", begin)
  monkeypatch.delenv("JAXBENCH_DATA", raising=False)


def test_the_list_is_long_and_nothing_is_in_it_twice():
  assert len(dict(LISTED)) == len(LISTED) >= 130
  assert all(told for _, told in LISTED)


@pytest.mark.parametrize(("line", "told"), LISTED, ids=[line for line, _ in LISTED])
@pytest.mark.usefixtures("no_work")
def test_wrong_input_is_one_line_and_status_2(line, told, here, tmp_path, capsys, monkeypatch):
  monkeypatch.chdir(tmp_path)
  status = main(line.format(here=here).replace("WORK", f"--workdir={tmp_path / 'run'}").split())
  out, err = capsys.readouterr()
  assert (status, out) == (2, "")
  assert err.count("\n") == 1, err
  only = err.strip()
  assert only.startswith("jaxbench")
  assert told.format(here=here) in only
  assert not any(tmp_path.iterdir())
