"""What a report of millions of rows takes: seconds, memory and the size of the page.

  python tests/perf/report.py [--rows=5000000]

The rows are made up: 20 models, three corruptions, two attacks and two bisections on 1,000 classes,
with photographs of noise, which no PNG makes smaller.
"""

import io
import json
import pathlib
import resource
import tempfile
import time

import numpy as np
from absl import app, flags
from PIL import Image

from jaxbench import config, plan, records, report
from jaxbench.evaluate import provenance

_ROWS = flags.DEFINE_integer("rows", 5_000_000, "Rows, about.")
_MODELS, _CLASSES, _BLOCK = 20, 1000, 2048
_SETTINGS = config.Config(
  models=("digits-clip", "digits-resnet"),
  data=("digits",),
  corruptions=config.Corruptions(names=("gaussian_noise", "fog", "contrast")),
  attacks=config.Attacks(
    names=("fgsm", "pgd(steps=40)"),
    smallest=("bim(steps=5)", "mim(steps=5)"),
    epsilons=(1 / 255, 4 / 255, 8 / 255),
  ),
  limit=10,
)


def _described() -> dict:
  """A run of the two embedded models, each taken ten times under other names."""
  settings = config.checked(_SETTINGS)
  described = provenance.describe_run(settings, plan.make(settings))
  identity = described["identity"]
  known = identity["models"]
  names = {f"org/model-{n:02d}-patch32-224": settings.models[n % 2] for n in range(_MODELS)}
  cells = [
    cell | {"model": name, "id": cell["id"].replace(cell["model"], name)}
    for cell in described["cells"]
    for name, model in names.items()
    if model == cell["model"]
  ]
  identity["models"] = {name: known[model] for name, model in names.items()}
  described["data"]["digits"]["class_names"] = [f"class {n}" for n in range(_CLASSES)]
  return described | {"cells": cells}


def _write(folder: pathlib.Path, examples: int) -> int:
  """Returns the number of rows."""
  described, draw = _described(), np.random.default_rng(0)
  for cell in described["cells"]:
    cell["examples"] = examples
  store = records.Store(folder, json.loads(json.dumps(described)))
  labels = draw.integers(0, _CLASSES, examples).astype(np.int32)
  ids = [f"n{label:08d}/image_{row:08d}.JPEG" for row, label in enumerate(labels)]
  pictures = [_picture(draw) for _ in range(4)]
  for start in range(0, examples, _BLOCK):
    rows = slice(start, min(start + _BLOCK, examples))
    tables = []
    for cell in described["cells"]:
      columns = _columns(cell, labels[rows], draw) | {"example": ids[rows]}
      if start == 0:
        columns["picture"] = pictures + [None] * (len(labels[rows]) - 4)
      names = ("model", "data", "prompts", "perturbation", "severity", "epsilon", "tolerance")
      tables.append(records.table({"cell": cell["id"]} | {n: cell[n] for n in names}, columns))
    store.write("digits", start // _BLOCK, tables)
  return examples * len(described["cells"])


def _columns(cell: dict, labels: np.ndarray, draw: np.random.Generator) -> dict:
  hits = draw.random(len(labels)) < draw.random()
  clean = hits | (draw.random(len(labels)) < 0.5)
  wrong = ((labels + 1) % _CLASSES).astype(np.int32)
  none = np.zeros(len(labels), np.int32)
  columns = {"label": labels, "forwards": none + 1, "backwards": none}
  columns |= {"prediction": np.where(hits, labels, wrong)}
  columns |= {"clean_prediction": np.where(clean, labels, wrong)}
  if cell["attack"] is None:
    confidence = draw.random(len(labels)).astype(np.float32)
    return columns | {"rank": (~hits).astype(np.int32), "confidence": confidence}
  steps = np.where(hits, 40, draw.integers(0, 40, len(labels))).astype(np.int32)
  distance = np.where(hits, np.inf, 8 / 255 * draw.random(len(labels))).astype(np.float32)
  found_by = [None if hit else "pgd" for hit in hits]
  columns |= {"success": ~hits, "steps": steps, "backwards": steps, "found_by": found_by}
  return columns | {"distance": distance}


def _picture(draw: np.random.Generator) -> bytes:
  buffer = io.BytesIO()
  Image.fromarray(draw.integers(0, 256, (224, 224, 3)).astype(np.uint8)).save(buffer, "PNG")
  return buffer.getvalue()


def main(_) -> None:
  """Writes the rows and times their report."""
  with tempfile.TemporaryDirectory() as place:
    folder = pathlib.Path(place)
    rows = _write(folder / "run", max(4, _ROWS.value // 480))  # So many cells.
    began, worked = time.perf_counter(), time.process_time()
    report.write([folder / "run"], folder / "report.html")
    elapsed, worked = time.perf_counter() - began, time.process_time() - worked
    page = (folder / "report.html").stat().st_size
  peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
  print(f"{rows:,} rows, {_MODELS} models: {elapsed:.1f} s ({worked:.1f} s of CPU), ", end="")
  print(f"{peak:,.0f} MiB at the most, a page of {page / 1e6:.2f} MB")


if __name__ == "__main__":
  app.run(main)
