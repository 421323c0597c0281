"""sky.yaml: what SkyPilot makes of it, and its commands on two nodes that are folders here."""

import importlib.util
import json
import os
import subprocess
import sys

import pytest
import yaml
from references.cloud import checkout
from references.command import COMPILE_FAST, ROOT, environment

from jaxbench import records

FILE = ROOT / "launch/sky.yaml"
TASK = yaml.safe_load(FILE.read_text())
SMALL = (
  "--config.models=digits-resnet --config.corruptions.names=() --config.attacks.names=() "
  "--config.limit=8 --config.block=4 --config.slots=2"
)

# Parsed as `sky jobs launch` does, with flags that win over the file.
PARSE = """
import json, sys, yaml
import sky
config = yaml.safe_load(open(sys.argv[1]))
task = sky.Task.from_yaml_config(config, env_overrides=[("WORKDIR", "gs://b/run")])
answers = []
for override in json.loads(sys.argv[2]):
  task.set_resources_override(override)
  (one,) = task.resources
  answers.append([str(one.cloud), one.accelerators, one.use_spot, one.job_recovery])
  task.validate_name()
try:
  sky.Task.from_yaml(sys.argv[1])
except ValueError as error:
  answers.append(str(error))
print(json.dumps([task.num_nodes, task.envs, *answers]))
"""


@pytest.mark.skipif(
  not importlib.util.find_spec("sky"), reason="skypilot is not installed: pip install jaxbench[sky]"
)
def test_skypilot_takes_it_with_flags_that_win(tmp_path):
  overrides = [
    {},
    {"accelerators": "H200:8", "use_spot": False},
    {"accelerators": "tpu-v5litepod-64"},
  ]
  process = subprocess.run(
    [sys.executable, "-c", PARSE, FILE, json.dumps(overrides)],
    env={**os.environ, "HOME": str(tmp_path), "SKYPILOT_DISABLE_USAGE_COLLECTION": "1"},
    capture_output=True,
    text=True,
  )
  assert process.returncode == 0, process.stderr
  nodes, envs, plain, gpus, tpus, without = json.loads(process.stdout.splitlines()[-1])
  assert nodes == 1
  assert envs == {"WORKDIR": "gs://b/run", "CONFIG": "configs/imagenet_c.py", "ARGS": ""}
  assert plain[1:3] == [{"H100": 8}, True]
  assert plain[3]["recover_on_exit_codes"] == [143]
  assert gpus[1:3] == [{"H200": 8}, False]
  assert tpus[:2] == ["GCP", {"tpu-v5litepod-64": 1}]
  assert "'WORKDIR' is None" in without


# A Python with jaxbench in it, whose pip notes what it is to install.
PYTHON = """#!/bin/bash
if [ "$1 $2 $3" = "-m pip install" ]; then echo "$*" >> "{notes}"; exit; fi
exec {python} "$@"
"""


@pytest.fixture
def nodes(tmp_path):
  """Fresh folders in which setup has been executed."""
  python = tmp_path / "python"
  python.write_text(PYTHON.format(notes=tmp_path / "installed", python=sys.executable))
  python.chmod(0o755)
  folders = [checkout(tmp_path / f"node {rank}", python) for rank in range(2)]
  for folder in folders:
    for name in ("configs", "jaxbench", "pyproject.toml", "setup.py", "third_party"):
      (folder / name).symlink_to(ROOT / name)
    subprocess.run(["bash", "-euc", TASK["setup"]], cwd=folder, check=True, capture_output=True)
  return folders


@pytest.mark.slow
def test_two_nodes_install_and_share_a_run(nodes, tmp_path):
  installed = (tmp_path / "installed").read_text().splitlines()
  assert installed == [f"-m pip install --quiet --editable {folder}" for folder in nodes]
  run = tmp_path / "run"
  values = {**TASK["envs"], "WORKDIR": str(run), "CONFIG": "configs/quickstart.py", "ARGS": SMALL}
  processes = [
    subprocess.Popen(
      ["bash", "-c", TASK["run"]],
      cwd=folder,
      env=environment(
        XLA_FLAGS=f"--xla_force_host_platform_device_count=1 {COMPILE_FAST}",
        SKYPILOT_NODE_RANK=str(rank),
        SKYPILOT_NUM_NODES="2",
        **values,
      ),
      stdout=subprocess.PIPE,
      stderr=subprocess.PIPE,
      text=True,
    )
    for rank, folder in enumerate(nodes)
  ]
  (first, _), (second, _) = said = [process.communicate(timeout=300) for process in processes]
  assert [process.returncode for process in processes] == [0, 0], said
  assert f"report: {run}/report.html" in first
  assert second == "host 1 of 2 is done; host 0 writes the report\n"
  rows = records.read(run)
  examples = zip(rows["cell"].to_pylist(), rows["example"].to_pylist(), strict=True)
  assert len(set(examples)) == rows.num_rows == 8
