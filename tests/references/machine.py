"""What a benchmark of ours against torch begins with, and how fast the machine could be."""

import time

import jax
import jax.numpy as jnp
import torch
from absl import logging

from jaxbench import devices


def use_all_of_it() -> None:
  """All cores for both, or the GPU, and a line that tells what they are."""
  logging.set_verbosity(logging.WARNING)
  devices.use_all_cores()
  torch.set_num_threads(devices.cores())
  torch.set_default_device("cuda" if torch.cuda.is_available() else "cpu")
  print(
    f"{jax.devices()[0].device_kind}, {devices.cores()} cores, JAX {jax.__version__}, torch "
    f"{torch.__version__} on {torch.get_default_device()}"
  )


def product_flops(dtype: str) -> float:
  """Floating-point operations per second of large matrix products, on one device."""
  size = 1024 if jax.default_backend() == "cpu" else 8192
  x = jax.random.normal(jax.random.key(0), (size, size), dtype)
  multiply = jax.jit(lambda x: jnp.matmul(x, x, precision="highest"))
  multiply(x).block_until_ready()
  best = float("inf")
  for _ in range(10):
    began = time.perf_counter()
    multiply(x).block_until_ready()
    best = min(best, time.perf_counter() - began)
  return 2 * size**3 / best
