"""Loading needs little more memory than the weights themselves."""

import subprocess
import sys

import pytest
import torch
from references import checkpoints, networks

# Memory of a kind, sampled while a checkpoint is loaded.
PROGRAM = """
import sys, threading, jax
from jaxbench import models

def memory():
  lines = open("/proc/self/status").read().splitlines()
  return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(sys.argv[3]))

models.abstract(models.ARCHITECTURES[sys.argv[2]])
if sys.argv[1].endswith(".pth"):
  import torch
jax.numpy.zeros(1).block_until_ready()
before, peak, done = memory(), 0, threading.Event()

def watch():
  global peak
  while not done.wait(0.001):
    peak = max(peak, memory())

thread = threading.Thread(target=watch)
thread.start()
model = models.load(sys.argv[1], architecture=sys.argv[2])
done.set()
thread.join()
print((peak - before) / sum(array.nbytes for array in jax.tree.leaves(model)))
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize(
  ("name", "suffix", "kind"),
  [
    # Most of it is one tensor, whose pages of the file count as long as it is read.
    ("vgg11", "safetensors", "RssAnon"),
    ("vgg11", "pth", "RssAnon"),
    ("resnet152", "safetensors", "VmRSS"),
  ],
)
def test_peak_memory_is_at_most_1_3_of_the_checkpoint(tmp_path, name, suffix, kind):
  build = {
    "vgg11": lambda: networks.vgg((1, 1, 2, 2, 2), False, 64, 4096, 1000),
    "resnet152": lambda: networks.ResNet((3, 8, 36, 3), 64, True, 1000),
  }
  state = build[name]().state_dict()
  file = tmp_path / f"{name}.{suffix}"
  if suffix == "pth":
    torch.save(state, file)
  else:
    checkpoints.write_safetensors(state, file)
  command = [sys.executable, "-c", PROGRAM, str(file), name, kind]
  result = subprocess.run(command, capture_output=True, text=True, check=True)
  assert 0.9 < float(result.stdout) <= 1.3
