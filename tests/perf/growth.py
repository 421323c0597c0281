"""How a run grows: seconds of CPU and peak memory against examples, models, cells and classes.

  PYTHONPATH=tests python tests/perf/growth.py [--axes=examples,models,cells,classes]

Every run is a process, `python -m jaxbench` on images of 8x8 pixels with linear models of a file,
to count jaxbench and not the model. Each is run twice; the second, which compiles nothing, stands.
"more" is what a unit of growth costs since the row above, in milliseconds and kB: where it rises
from row to row, something is not linear.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from absl import app, flags
from PIL import Image

_ROOT = pathlib.Path(__file__).parents[2]
_AXES = flags.DEFINE_list("axes", ["examples", "models", "cells", "classes"], "Which grow.")
_MODEL = """
import jax, jax.numpy as jnp, numpy as np
from jaxbench import models

def get_model(argument):
  seed, classes = map(int, argument.split("x"))
  weights = jnp.asarray(np.random.default_rng(seed).normal(size=(192, classes)), jnp.float32)
  forward = jax.tree_util.Partial(lambda w, x: x.reshape(len(x), -1) @ w, weights)
  names = [f"class {index}" for index in range(classes)]
  return models.Custom(forward, models.Preprocess(8), class_names=names)
"""


def _images(folder: pathlib.Path, examples: int, classes: int) -> pathlib.Path:
  """A folder with a folder for each class, and as many images, of which each class has one."""
  draw = np.random.default_rng(0)
  for index in range(classes):
    (folder / f"{index:05}").mkdir(parents=True)
  for index in range(examples):
    pixels = draw.integers(0, 256, (8, 8, 3), np.uint8)
    Image.fromarray(pixels).save(folder / f"{index % classes:05}" / f"{index:06}.png")
  names = [f"{index:05}\tclass {index}" for index in range(classes)]
  (folder / "classnames.txt").write_text("\n".join(names))
  return folder


def _run(folder: pathlib.Path, *arguments: str) -> tuple[float, float]:
  """Seconds of CPU, and the peak of resident memory in kB, of the second of two runs."""
  environment = os.environ | {"JAX_COMPILATION_CACHE_DIR": str(folder / "programs")}
  for turn in range(2):
    command = [sys.executable, "-m", "jaxbench", *arguments, f"--workdir={folder / f'run{turn}'}"]
    with (folder / "log").open("w") as log:
      process = subprocess.Popen(command, cwd=_ROOT, env=environment, stdout=log, stderr=log)
      _, status, usage = os.wait4(process.pid, 0)
    if status:
      sys.exit((folder / "log").read_text())
  return usage.ru_utime + usage.ru_stime, usage.ru_maxrss


def _grown(axis: str, size: int) -> tuple[float, float]:
  """Of a run that is small but for `axis`."""
  classes = size if axis == "classes" else 10
  examples = {"examples": size, "classes": max(size, 64)}.get(axis, 64)
  epsilons = size if axis == "cells" else 1
  with tempfile.TemporaryDirectory() as temporary:
    folder = pathlib.Path(temporary)
    (folder / "linear.py").write_text(_MODEL)
    names = [f"{folder}/linear.py:{n}x{classes}" for n in range(size if axis == "models" else 1)]
    return _run(
      folder,
      "--config=configs/quickstart.py",
      f"--config.models={','.join(names)}",
      f"--config.data={_images(folder / 'images', examples, classes)}",
      "--config.prompts=class_name",
      "--config.corruptions.names=contrast",
      "--config.corruptions.severities=1",
      "--config.attacks.names=fgsm",
      f"--config.attacks.epsilons={','.join(f'{(n + 1) / 1e5:.5f}' for n in range(epsilons))}",
      "--config.gallery=0",
    )


def main(argv: list[str]) -> None:
  """Prints a table for each axis."""
  del argv
  sizes = {
    "examples": (1_000, 4_000, 16_000),
    "models": (1, 4, 16),
    "cells": (100, 1_000, 10_000),  # Of one attack, at as many epsilons.
    "classes": (10, 1_000, 20_000),
  }
  for axis in _AXES.value:
    print(f"\n{axis:>10}  CPU s  more ms  peak MB  more kB")
    before = None
    for size in sizes[axis]:
      seconds, memory = _grown(axis, size)
      line = f"{size:10}  {seconds:5.1f}  {'':7}  {memory / 1024:7.0f}"
      if before:
        added = size - before[0]
        each = (seconds - before[1]) / added * 1000, (memory - before[2]) / added
        line = f"{size:10}  {seconds:5.1f}  {each[0]:7.2f}  {memory / 1024:7.0f}  {each[1]:7.1f}"
      print(line, flush=True)
      before = size, seconds, memory


if __name__ == "__main__":
  app.run(main)
