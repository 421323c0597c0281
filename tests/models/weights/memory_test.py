"""Loading needs little more memory than the weights themselves."""

import subprocess
import sys

import pytest
import torch
from references import checkpoints, networks

# Memory that is not a view of a file, sampled while a checkpoint is loaded.
PROGRAM = """
import sys, threading, jax
from jaxbench import models

def anonymous():
  lines = open("/proc/self/status").read().splitlines()
  return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))

models.abstract(models.ARCHITECTURES["vgg11"])
if sys.argv[1].endswith(".pth"):
  import torch
jax.numpy.zeros(1).block_until_ready()
before, peak, done = anonymous(), 0, threading.Event()

def watch():
  global peak
  while not done.wait(0.001):
    peak = max(peak, anonymous())

thread = threading.Thread(target=watch)
thread.start()
model = models.load(sys.argv[1], architecture="vgg11")
done.set()
thread.join()
print((peak - before) / sum(array.nbytes for array in jax.tree.leaves(model)))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_peak_memory_is_at_most_1_3_of_the_checkpoint(tmp_path, suffix):
  state = networks.vgg((1, 1, 2, 2, 2), False, 64, 4096, 1000).state_dict()
  file = tmp_path / f"vgg11.{suffix}"
  if suffix == "pth":
    torch.save(state, file)
  else:
    checkpoints.write_safetensors(state, file)
  command = [sys.executable, "-c", PROGRAM, str(file)]
  result = subprocess.run(command, capture_output=True, text=True, check=True)
  assert 0.9 < float(result.stdout) <= 1.3
