"""This host's devices: one mesh, programs mapped over it, batches of one shape."""

import functools
import os
import pathlib
import platform
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from absl import logging
from etils import epath
from flax import struct
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from jaxbench import threefry
from jaxbench.telemetry import clock

_AXIS = "data"
# JAX 0.7 cannot differentiate batched convolutions under shard_map; there, one device works alone.
_CAN_MAP = jax.__version_info__ >= (0, 8)
# XLA's own matrix products take long to tune and are no faster here than cuBLAS: without them a
# ViT-B/32 gradient compiles in 10 s instead of 62 on an H100, and runs at the same speed.
_GPU_OPTIONS = {"xla_gpu_enable_triton_gemm": False}
# With matrix products XLA 0.10 hands its library what surrounds them, and sums, and writes out for
# it what is broadcast: with GELUs between products, a gradient took 1.2 times as long, in twice the
# memory.
_CPU_OPTIONS = {"xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT"}
# On a CPU LLVM's optimisations take much of the time to compile; products of matrices, which are
# libraries', take most of the time to run.
_QUICK_CPU_OPTIONS = {"xla_backend_optimization_level": 0}


@struct.dataclass
class Replicated:
  """A pytree copied to every device, flattened once so that each call dispatches fast."""

  leaves: tuple[jax.Array, ...]
  structure: Any = struct.field(pytree_node=False)

  def tree(self) -> Any:
    """The pytree as it was."""
    return jax.tree.unflatten(self.structure, self.leaves)


class Batch(NamedTuple):
  """One batch's result and which examples it holds."""

  examples: slice  # Of the arrays that were streamed.
  result: Any  # Arrays [slots * devices, ...] on the device; the surplus rows repeat the last one.

  def fetch(self, part: Callable[[Any], Any] = lambda result: result) -> Any:
    """`part(result)` on the host, without the surplus rows."""
    count = self.examples.stop - self.examples.start
    return jax.tree.map(lambda array: array[:count], fetch(part(self.result)))


@functools.cache
def mesh() -> Mesh:
  """All devices of this host in a row."""
  devices = jax.local_devices()
  if not _CAN_MAP and len(devices) > 1:
    logging.warning("JAX %s: 1 of %d devices is used; 0.8 uses all", jax.__version__, len(devices))
    devices = devices[:1]
  # Not jax.make_mesh, whose axes are explicit in newer JAX.
  return Mesh(np.asarray(devices), (_AXIS,))


def replicate(tree: Any) -> Replicated:
  """Copies a pytree of arrays, a classifier for one, to every device of this host."""
  everywhere = NamedSharding(mesh(), P()) if _CAN_MAP else mesh().devices[0]
  leaves, structure = jax.tree.flatten(jax.device_put(tree, everywhere))
  return Replicated(tuple(leaves), structure)


def fetch(tree: Any) -> Any:
  """Numpy copies of a pytree, as soon as the devices have computed it."""
  with clock.waiting():
    return jax.device_get(tree)


def scatter(tree: Any) -> Any:
  """Sends each device its share of the rows of numpy arrays."""
  return jax.device_put(tree, _shares())


def scattered(tree: Any) -> Any:
  """What `scatter` would send, as shapes, to trace programs for."""
  where = _shares() if _CAN_MAP else None

  def place(like: jax.ShapeDtypeStruct) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(like.shape, like.dtype, sharding=where)

  return jax.tree.map(place, tree)


def _shares() -> Any:
  return NamedSharding(mesh(), P(_AXIS)) if _CAN_MAP else mesh().devices[0]


def shard(
  function: Callable[..., Any],
  donate: tuple[int, ...] = (),
  *,
  network: bool = True,
  quick: bool = False,
) -> jax.stages.Wrapped:
  """Jits `function(tree, *arrays)` and maps it over the devices.

  Each device sees the whole first argument, a `Replicated`, and its share of the rows of the
  others. Nothing is communicated, so devices whose loops end at different times never wait for
  one another. Matrix products and convolutions run in full float32 whatever the hardware prefers.
  Arguments whose positions are in `donate` may be overwritten. Without a `network` in it a program
  is compiled on a CPU as JAX compiles by default, which suits corruptions. What is `quick` to
  compile is for what runs a few times, and goes into no row: it rounds otherwise.
  """

  def on_device(replicated: Replicated, *arrays: Any) -> Any:
    with jax.default_matmul_precision("highest"):
      return function(replicated.tree(), *arrays)

  def on_mesh(replicated: Replicated, *arrays: Any) -> Any:
    specs = (P(), *(P(_AXIS) for _ in arrays))
    mapped = jax.shard_map(
      on_device, mesh=mesh(), in_specs=specs, out_specs=P(_AXIS), check_vma=False
    )
    return mapped(replicated, *arrays)

  return jax.jit(
    on_mesh if _CAN_MAP else on_device,
    donate_argnums=donate,
    compiler_options=compiler_options(network=network, quick=quick),
  )


def compiler_options(*, network: bool = True, quick: bool = False) -> dict[str, Any]:
  """With which a program is fast on the backend: `jax.jit(..., compiler_options=)`; see `shard`."""
  match jax.default_backend():
    case "gpu":
      return _GPU_OPTIONS
    case "cpu" if quick:
      return _QUICK_CPU_OPTIONS
    case "cpu" if network and _has_cpu_options():
      return _CPU_OPTIONS
  return {}


@functools.cache
def _has_cpu_options() -> bool:
  """Whether this jaxlib has them: earlier ones make no such fusions, later ones may lack them."""
  if jax.__version_info__ < (0, 10):
    return False
  try:
    jax.jit(lambda: 0, compiler_options=_CPU_OPTIONS).lower().compile()
  except jax.errors.JaxRuntimeError:
    return False
  return True


def stream(
  program: Callable[..., Any], replicated: Replicated, arrays: Sequence[Any], slots: int
) -> Iterator[Batch]:
  """Runs a sharded program over all rows in batches of one shape, each handed out one `late`.

  Args: those of `dispatch`.
  """
  return late(dispatch(program, replicated, arrays, slots))


def late(batches: Iterator[Any]) -> Iterator[Any]:
  """Hands out each batch when the next is under way, so that no device waits for the host."""
  pending: deque[Any] = deque()
  for batch in batches:
    pending.append(batch)
    if len(pending) > 1:
      yield pending.popleft()
  yield from pending


def dispatch(
  program: Callable[..., Any], replicated: Replicated, arrays: Sequence[Any], slots: int
) -> Iterator[Batch]:
  """Runs a sharded program over all rows in batches of one shape, each when it is asked for.

  The last batch is filled up by repeating its last row.

  Args:
    program: made by `shard`.
    replicated: its first argument.
    arrays: its other arguments, each [N, ...].
    slots: examples per device and batch.
  """
  total, size = len(arrays[0]), slots * mesh().size
  for start in range(0, total, size):
    examples = slice(start, min(start + size, total))
    rows = np.minimum(np.arange(start, start + size), total - 1)
    yield Batch(examples, program(replicated, *(array[rows] for array in arrays)))


def example_keys(seed: int, perturbation: jax.Array, examples: jax.Array) -> jax.Array:
  """One PRNG key per example, from ids alone, never from positions.

  Args:
    seed: of the run.
    perturbation: uint32 [2], the hash of what is done to the example.
    examples: uint32 [B, 2], the hashes of the example ids.

  Returns:
    typed keys [B].
  """

  def key(example: jax.Array) -> jax.Array:
    folded = threefry.key(seed)
    for word in (*perturbation, *example):
      folded = jax.random.fold_in(folded, word)
    return folded

  return jax.vmap(key)(examples)


def cores() -> int:
  """CPU cores that this process may use."""
  limited = hasattr(os, "sched_getaffinity")
  return len(os.sched_getaffinity(0)) if limited else os.cpu_count() or 1


def use_all_cores() -> None:
  """On a CPU, makes each core a device; call it before anything else touches JAX.

  Small models keep cores busier that way than through threads inside one operation.
  """
  forced = "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", "")
  if _CAN_MAP and not forced:
    jax.config.update("jax_num_cpu_devices", cores())


def use_compilation_cache(root: epath.PathLike | None = None) -> epath.Path:
  """Keeps compiled programs from one run to the next.

  Args:
    root: a folder, also in an object store; by default JAX's own setting
      (JAX_COMPILATION_CACHE_DIR) or else in the user's cache folder. Whoever can write there can
      have this process run code.
  """
  if root is None and (told := jax.config.values["jax_compilation_cache_dir"]):
    return epath.Path(told)
  if root is None:
    home = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache"))
    root = home / "jaxbench"
  # CPU programs hold for one kind of machine only.
  folder = epath.Path(root) / f"{jax.default_backend()}-{platform.machine()}-jax{jax.__version__}"
  jax.config.update("jax_compilation_cache_dir", str(folder))
  jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
  jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
  return folder
