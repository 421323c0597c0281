"""Seconds and memory of loading a ViT-L/14, beside transformers; run by hand.

  python tests/perf/loading.py [--repeats=3]

Random weights as transformers writes them (1.7 GB in a temporary folder), each load in a process of
its own after one that has touched as much memory, which a virtual machine is slow to give the first
time. "memory" is the peak above the process before, pages of mapped files included. transformers
maps the file and reads nothing until it computes. Its second row also reads all parameters once;
its third copies them into memory of their own, as ours does, which checks them on the way and lays
kernels as XLA wants them. "whole process" is from its start to its end, imports included.

The second table is the text side of a zero-shot classifier over ImageNet's names with 80 templates,
on a text tower of two layers: batches of about one length against all padded to the longest.
"""

import dataclasses
import importlib
import subprocess
import sys
import tempfile
import time

from absl import app, flags

_REPEATS = flags.DEFINE_integer("repeats", 3, "Loads of each kind; the fastest counts.")
_WRITE = """
import sys, transformers
text = {"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12}
vision = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24,
          "num_attention_heads": 16, "patch_size": 14}
config = transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=768)
transformers.CLIPModel(config).save_pretrained(sys.argv[1])
transformers.CLIPImageProcessorPil().save_pretrained(sys.argv[1])
"""
_TOUCH = "import numpy; numpy.ones(2 * 10**9, numpy.uint8)"
_PREPARE = {
  "jaxbench": """
import jax
from jaxbench import models
jax.numpy.zeros(1).block_until_ready()
load = lambda: jax.block_until_ready(jax.tree.leaves(models.load(sys.argv[1])))
""",
  "transformers": """
from transformers.models.clip.modeling_clip import CLIPModel
load = lambda: CLIPModel.from_pretrained(sys.argv[1])
""",
  "transformers, read": """
from transformers.models.clip.modeling_clip import CLIPModel
load = lambda: sum(float(p.sum()) for p in CLIPModel.from_pretrained(sys.argv[1]).parameters())
""",
  "transformers, copied": """
from transformers.models.clip.modeling_clip import CLIPModel
load = lambda: [p.clone() for p in CLIPModel.from_pretrained(sys.argv[1]).parameters()]
""",
}
_MEASURE = """
def memory():
  lines = open("/proc/self/status").read().splitlines()
  return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))

before, peak, done = memory(), 0, threading.Event()

def watch():
  global peak
  while not done.wait(0.002):
    peak = max(peak, memory())

watcher = threading.Thread(target=watch)
watcher.start()
wall, cpu = time.perf_counter(), time.process_time()
result = load()
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
done.set()
watcher.join()
print(wall, cpu, (peak - before) / 1e9)
"""


def _python(program: str, *arguments: str) -> str:
  command = [sys.executable, "-c", program, *arguments]
  return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _loads(folder: str) -> None:
  heads = ("seconds", "of CPU", "memory, GB", "whole process", "peak, GB")
  print(f"{'':20} {heads[0]:>8} {heads[1]:>8} {heads[2]:>11} {heads[3]:>14} {heads[4]:>9}")
  for name, prepare in _PREPARE.items():
    results = []
    for _ in range(_REPEATS.value):
      _python(_TOUCH)
      line = _python("import sys, threading, time\n" + prepare + _MEASURE, folder)
      results.append(tuple(map(float, line.split())))
    wall, cpu, memory = min(results)
    whole, peak = min(_process(prepare, folder) for _ in range(_REPEATS.value))
    line = f"{name:20} {wall:8.2f} {cpu:8.2f} {memory:11.2f} {whole:14.2f} {peak:9.2f}"
    print(line, flush=True)


def _process(prepare: str, folder: str) -> tuple[float, float]:
  """Seconds of a process that loads and ends, imports included, and its peak in GB."""
  peak = "; import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
  start = time.perf_counter()
  line = _python("import sys\n" + prepare + "result = load()" + peak, folder)
  return time.perf_counter() - start, int(line) * 1024 / 1e9


def _prompts() -> None:
  from flax import nnx

  from jaxbench import models

  config = models.ARCHITECTURES["ViT-B-32"]
  vision = dataclasses.replace(config.vision, layers=1)
  text = models.TowerConfig(128, 2, 2, 512, "gelu")
  config = dataclasses.replace(config, vision=vision, text=text)
  clip = models.CLIP(config, rngs=nnx.Rngs(0))
  names, templates = models.imagenet_class_names(), models.templates("openai_80")
  module = importlib.import_module("jaxbench.models.prompting.zero_shot")
  for name, step in (("padded to the longest", config.context_length), ("by length", module._STEP)):
    module._STEP = step
    for _ in range(2):  # Programs are compiled the first time.
      cpu = time.process_time()
      models.zero_shot(clip, names, templates).text.block_until_ready()
      cpu = time.process_time() - cpu
    print(f"{name:22} {cpu:6.1f} s of CPU", flush=True)


def main(_: list[str]) -> None:
  """Prints both tables."""
  with tempfile.TemporaryDirectory() as folder:
    _python(_WRITE, folder)
    _loads(folder)
  _prompts()


if __name__ == "__main__":
  app.run(main)
