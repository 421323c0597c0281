"""What a benchmark of ours against torch begins with."""

import jax
import torch
from absl import logging

from jaxbench import devices


def use_all_of_it() -> None:
  """All cores for both, and a line that tells what they are."""
  logging.set_verbosity(logging.WARNING)
  devices.use_all_cores()
  torch.set_num_threads(devices.cores())
  print(f"{devices.cores()} cores, JAX {jax.__version__}, torch {torch.__version__}")
