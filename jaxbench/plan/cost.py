"""What a plan would cost, told before anything is run."""

import collections
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp

from jaxbench import devices, models
from jaxbench.plan import defending
from jaxbench.plan.cells import Plan, native

# Sustained float32 rate per core, measured with configs/quickstart.py on a 2-core x86 machine.
_CPU_FLOPS_PER_CORE = 4e10
# Vendors' float32 peaks per device; of TPUs, a sixth of bfloat16, of which full precision takes six
# products.
_PEAK_FLOPS = {"A100": 19.5e12, "H100": 67e12, "TPU v4": 275e12 / 6, "TPU v5e": 197e12 / 6}
_SUSTAINED = 0.6  # Of the peak: 41 of 67 TFLOP/s in gradients of a ViT-B/32, measured on an H100.
_BYTES_PER_ROW = 7  # Measured on 5 million rows of made-up verdicts, in 480 cells.


def lines(plan: Plan) -> Iterator[str]:
  """The cells of a plan with their cost, a line each, then the totals.

  Attacks stop early where a model is fooled, so their passes are upper bounds. Images for transfer
  are in the lines of all their targets, but once in the totals.
  """
  width = max((len(cell.id) for cell in plan.cells), default=4)
  yield f"{'cell':{width}}  {'examples':>9} {'forward':>11} {'backward':>11}"
  for cell in plan.cells:
    one = cell.perturbation
    forwards, backwards = cell.examples * one.forwards, cell.examples * one.backwards
    yield f"{cell.id:{width}}  {cell.examples:9,} {forwards:11,} {backwards:11,}"
  yield ""
  forwards = sum(forwards for *_, forwards, _ in _work(plan))
  backwards = sum(backwards for *_, backwards in _work(plan))
  yield f"{len(plan.cells)} cells, at most {forwards:,} forward and {backwards:,} backward passes"
  total = _flops(plan)
  yield _time(total)
  yield _accelerators(total)
  yield _disk(plan)
  yield from native(plan)
  for absent in plan.absent:
    yield f"cannot be run: {absent.what}: {absent.reason}"


def _work(plan: Plan) -> Iterator[tuple[str, bool, int, int]]:
  """Models, whether they read, and their passes; images for several targets are made once."""
  made = set()
  for cell in plan.cells:
    for passes in cell.perturbation.passes(cell.model):
      if passes.images is not None:
        images = cell.data, passes.images
        if images in made:
          continue
        made.add(images)
      counts = cell.examples * passes.forwards, cell.examples * passes.backwards
      yield passes.model, passes.reads, *counts


def _flops(plan: Plan) -> float:
  passes: dict[tuple[str, bool], int] = collections.defaultdict(int)
  for model, reads, forwards, backwards in _work(plan):
    passes[model, reads] += forwards + 2 * backwards
  return sum(
    count * (text_flops(model) if reads else forward_flops(model))
    for (model, reads), count in passes.items()
  )


def _time(total: float) -> str:
  work = f"at most {total:.3g} floating-point operations"
  if jax.default_backend() != "cpu":
    return work
  cores = devices.cores()
  seconds = total / (cores * _CPU_FLOPS_PER_CORE)
  rate = f"{_CPU_FLOPS_PER_CORE / 1e9:.0f} GFLOP/s per core"
  return f"{work}: about {_duration(seconds)} on {cores} CPU cores at {rate}, plus compilation"


def _accelerators(total: float) -> str:
  hours = [
    f"{name} {total / (_SUSTAINED * peak) / 3600:,.1f}" for name, peak in _PEAK_FLOPS.items()
  ]
  return (
    f"accelerator hours for so much: {', '.join(hours)}; at {_SUSTAINED:.0%} of the vendor's "
    "float32 peak, which gradients of a ViT-B/32 were measured to reach on an H100 with 256 slots. "
    "Small models and few slots reach less, and the other devices were not measured"
  )


def _disk(plan: Plan) -> str:
  rows = sum(cell.examples for cell in plan.cells)
  return (
    f"disk: about {rows * _BYTES_PER_ROW / 1e6:,.0f} MB for {rows:,} rows, and the pictures of "
    "--config.gallery examples a cell, which are as large as PNGs are"
  )


def forward_flops(model: str) -> float:
  """Floating-point operations of one image's prediction, as XLA counts them in a forward pass."""
  name = defending.named(model)
  description = models.describe(name.base)
  config = description.config
  own = isinstance(config, models.CustomConfig)
  network: Any = models.load(name.base) if own else models.abstract(config)
  size = config.preprocess.size
  image = jax.ShapeDtypeStruct((1, size, size, 3), jnp.float32)

  def forward(network: Any, images: jax.Array) -> jax.Array:
    return network(images) if config.supervised else network.visual(images)

  passes = 1
  if name.defences:
    cost = defending.outlined(name.defences, supervised=config.supervised).cost
    passes = cost.forwards + 2 * cost.backwards
  return passes * count_flops(forward, network, image)


def text_flops(model: str) -> float:
  """Floating-point operations of one text's features, at the length that the model reads."""
  shape: Any = models.describe(defending.base(model)).config
  tokens = jax.ShapeDtypeStruct((1, shape.context_length), jnp.int32)
  network = models.abstract(shape)
  return count_flops(lambda network, tokens: network.encode_text(tokens), network, tokens)


def count_flops(function: Callable[..., Any], *arguments: Any) -> float:
  """Of a function of arrays or of their shapes, as XLA counts them."""
  shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), arguments)
  # Of a program for GPUs and TPUs, XLA tells nothing before it is compiled.
  with jax.default_device(jax.local_devices(backend="cpu")[0]):
    costs: Any = jax.jit(function).lower(*shapes).cost_analysis()
  return costs["flops"]


def _duration(seconds: float) -> str:
  for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
    if seconds >= 2 * length:
      return f"{seconds / length:.1f} {unit}"
  return f"{seconds:.0f} seconds"
