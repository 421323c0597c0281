"""What millions of rows take: to resume their run, to report it, and to compact its parts.

  python tests/perf/rows.py [--rows=10000000] [--parts=4000] [--steps=resume,report,compact]

Each step is a process of its own: seconds, seconds of CPU, and its peak of memory. The rows are
made up: 20 models, three corruptions, two attacks and two bisections on 1,000 classes, with
photographs of noise, which no PNG makes smaller.
"""

import io
import json
import math
import multiprocessing
import pathlib
import re
import resource
import tempfile
import time
from collections.abc import Callable
from concurrent import futures
from typing import Any

import numpy as np
from absl import app, flags
from PIL import Image

from jaxbench import config, plan, records, report
from jaxbench.evaluate import provenance

_ROWS = flags.DEFINE_integer("rows", 10_000_000, "Rows, about.")
_PARTS = flags.DEFINE_integer("parts", 4000, "Parts, about, before they are compacted.")
_STEPS = flags.DEFINE_list("steps", ["resume", "report", "compact", "resume", "report"], "In turn.")
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


def _write(folder: pathlib.Path, examples: int, parts: int) -> dict:
  """The run's description."""
  described, draw = _described(), np.random.default_rng(0)
  for cell in described["cells"]:
    cell["examples"] = examples
  described = json.loads(json.dumps(described))
  store = records.Store(folder, described)
  labels = draw.integers(0, _CLASSES, examples).astype(np.int32)
  ids = [f"n{label:08d}/image_{row:08d}.JPEG" for row, label in enumerate(labels)]
  pictures = [_picture(draw) for _ in range(4)]
  each = max(1, len(described["cells"]) * -(-examples // _BLOCK) // parts)  # Cells of a part.
  for start in range(0, examples, _BLOCK):
    rows = slice(start, min(start + _BLOCK, examples))
    tables = []
    for cell in described["cells"]:
      columns = _columns(cell, labels[rows], draw) | {"example": ids[rows]}
      if start == 0:
        columns["picture"] = pictures + [None] * (len(labels[rows]) - 4)
      names = ("model", "data", "prompts", "perturbation", "severity", "epsilon", "tolerance")
      tables.append(records.table({"cell": cell["id"]} | {n: cell[n] for n in names}, columns))
    for first in range(0, len(tables), each):
      store.write("digits", start // _BLOCK, tables[first : first + each])
  return described


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


def _resume(folder: pathlib.Path, described: dict) -> str:
  """What a process looks at before its first block."""
  counts = records.Store(folder / "run", described).counts()
  return f"{sum(sum(block.rows.values()) for block in counts.values()):,} rows"


def _report(folder: pathlib.Path, described: dict) -> str:
  del described
  report.write([folder / "run"], folder / "report.html")
  return f"a page of {(folder / 'report.html').stat().st_size / 1e6:.2f} MB"


def _compact(folder: pathlib.Path, described: dict) -> str:
  store = records.Store(folder / "run", described)
  for data, block in store.counts():
    store.compact(data, block)
  return f"{len(list((folder / 'run' / 'records').iterdir())):,} parts"


def _measured(step: Callable[[pathlib.Path, dict], str], *arguments: Any) -> str:
  began = time.perf_counter()
  result, seconds = step(*arguments), time.perf_counter() - began
  usage = resource.getrusage(resource.RUSAGE_SELF)
  # Not ru_maxrss, which a process inherits. The rest of the processor's time is importing.
  told = re.search(r"VmHWM:\s*(\d+)", pathlib.Path("/proc/self/status").read_text())
  memory, worked = int(told[1]) / 1024 if told else math.nan, usage.ru_utime + usage.ru_stime
  return f"{seconds:.1f} s (the process {worked:.1f} s of CPU), {memory:,.0f} MiB; {result}"


def main(_) -> None:
  """Writes the rows, then times what is done with them."""
  steps = {"resume": _resume, "report": _report, "compact": _compact}
  with tempfile.TemporaryDirectory() as place:
    folder = pathlib.Path(place)
    described = _write(folder / "run", max(4, _ROWS.value // 480), _PARTS.value)  # So many cells.
    parts = list((folder / "run" / "records").iterdir())
    size = sum(file.stat().st_size for file in parts) / 1e6
    print(f"{_MODELS} models, {len(parts):,} parts of {size:,.0f} MB", flush=True)
    context = multiprocessing.get_context("spawn")
    with futures.ProcessPoolExecutor(1, context, max_tasks_per_child=1) as pool:
      for step in _STEPS.value:
        measured = pool.submit(_measured, steps[step], folder, described).result()
        print(f"{step}: {measured}", flush=True)


if __name__ == "__main__":
  app.run(main)
