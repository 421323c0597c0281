"""timm's networks through the torch bridge, against ours and against torch; run by hand.

  PYTHONPATH=tests python tests/perf/torch_bridge.py [--networks=resnet50] [--batch=8]

Same random weights, same images, same machine, same run. "native" is the network of this package,
"bridged" timm's through `models.from_torch`; ratios above 1 say that the bridge is faster. The
gradient is that with respect to the images, and "each" the one that attacks take: vmapped, of one
image at a time. Seconds are of one core's time each (`--noalone`: of the clock, on all cores),
the best of several calls in turns. Then what conversion took, and the size of the gradient's
program, to which the weights are arguments.
"""

import os
import pathlib
import tempfile
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from absl import app, flags
from references import checkpoints, parity
from references.writers import timm

from jaxbench import devices, models

_NETWORKS = flags.DEFINE_list(
  "networks", ["tf_efficientnet_lite0", "resnet50", "vit_base_patch32_224"], "As timm has them."
)
_BATCH = flags.DEFINE_integer("batch", 8, "Images.")
_ALONE = flags.DEFINE_bool("alone", True, "One core each, in seconds of CPU.")
_TURNS, _CALLS = 3, 2
_MEAN, _STD = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)


def _forward(model: Any, x: jax.Array) -> jax.Array:
  return model(x)


def _gradient(model: Any, x: jax.Array) -> jax.Array:
  return jax.grad(lambda x: model(x)[:, 0].sum())(x)


def _each(model: Any, x: jax.Array) -> jax.Array:
  return jax.vmap(jax.grad(lambda x: model(x[None])[0, 0]))(x)


PROGRAMS = {"forward": _forward, "gradient": _gradient, "each": _each}


def _of_torch(module: torch.nn.Module, images: np.ndarray) -> dict[str, Callable[[], Any]]:
  pixels = torch.tensor(2 * images - 1).permute(0, 3, 1, 2).contiguous()

  def forward() -> None:
    with torch.inference_mode():
      module(pixels)

  def gradient() -> None:
    module(x := pixels.clone().requires_grad_())[:, 0].sum().backward()
    assert x.grad is not None

  return {"forward": forward, "gradient": gradient, "each": gradient}


def _of_jax(model: Any, images: np.ndarray) -> dict[str, Callable[[], Any]]:
  x = jnp.asarray(images)
  options = devices.compiler_options()
  compiled = {name: jax.jit(each, compiler_options=options) for name, each in PROGRAMS.items()}
  return {
    name: lambda program=program: program(model, x).block_until_ready()
    for name, program in compiled.items()
  }


def _seconds(*calls: Callable[[], Any]) -> list[float]:
  clock = time.process_time if _ALONE.value else time.perf_counter
  best = [float("inf")] * len(calls)
  for _ in range(_TURNS):
    for place, call in enumerate(calls):
      call()
      for _ in range(_CALLS):
        began = clock()
        call()
        best[place] = min(best[place], clock() - began)
  return best


def _native(module: torch.nn.Module, name: str, preprocess: models.Preprocess) -> Any:
  with tempfile.TemporaryDirectory() as folder:
    file = checkpoints.write_safetensors(
      module.state_dict(), pathlib.Path(folder) / "w.safetensors"
    )
    own = {"mean": _MEAN, "std": _STD, "preprocess": preprocess}
    return models.load(str(file), architecture=name, **own)


def main(argv: list[str]) -> None:
  """Prints the table."""
  del argv
  if _ALONE.value:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    torch.set_num_threads(1)
  print("| network | | images/s | of native | of torch |\n|---|---|---|---|---|")
  preprocess = models.Preprocess(224)
  images = np.random.default_rng(0).random((_BATCH.value, 224, 224, 3), np.float32)
  told = []
  for name in _NETWORKS.value:
    module = parity.randomize(timm.create_model(name)).eval().requires_grad_(False)
    began = time.perf_counter()
    bridged = models.from_torch(module, preprocess, mean=_MEAN, std=_STD, check=False)
    converted = time.perf_counter() - began
    native = _native(module, name, preprocess)
    sides = [_of_jax(bridged, images), _of_jax(native, images), _of_torch(module, images)]
    for what in PROGRAMS:
      ours, natives, torchs = _seconds(*(side[what] for side in sides))
      rate = _BATCH.value / ours
      print(f"| {name} | {what} | {rate:.1f} | {natives / ours:.2f}x | {torchs / ours:.2f}x |")
    lowered = jax.jit(_gradient).lower(bridged, jnp.asarray(images))
    size, weights = len(lowered.as_text()), sum(x.nbytes for x in jax.tree.leaves(bridged))
    told.append(
      f"{name}: converted in {converted:.1f} s; a program of {size / 1e6:.1f} MB of text for "
      f"{weights / 1e6:.0f} MB of weights"
    )
  print("\n".join(told))


if __name__ == "__main__":
  app.run(main)
