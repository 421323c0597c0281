"""How long a device waits for a host that reads its answers; run by hand.

  python tests/perf/late.py [--batches=20] [--device=0.05] [--host=0.03]

The device is this machine's, delayed: a callback inside the program sleeps. The host works for as
long on what it has read. Read at once, each batch costs both; read one late, as
`jaxbench.devices.late` does, the longer of the two.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from absl import app, flags

from jaxbench import devices

_BATCHES = flags.DEFINE_integer("batches", 20, "How many.")
_DEVICE = flags.DEFINE_float("device", 0.05, "Seconds of the device for a batch.")
_HOST = flags.DEFINE_float("host", 0.03, "Seconds of the host for a batch.")


def _program() -> Callable[..., jax.Array]:
  def delayed(rows: np.ndarray) -> np.ndarray:
    time.sleep(_DEVICE.value)
    return np.asarray(rows)

  def answer(_: Any, rows: jax.Array) -> jax.Array:
    like = jax.ShapeDtypeStruct(rows.shape, rows.dtype)
    return jax.pure_callback(delayed, like, jnp.sin(rows))

  return devices.shard(answer)


def _seconds(batches: Iterator[devices.Batch]) -> float:
  began = time.perf_counter()
  for batch in batches:
    batch.fetch()
    time.sleep(_HOST.value)
  return time.perf_counter() - began


def main(_: list[str]) -> None:
  """Prints the two times and the least that is possible."""
  program, nothing = _program(), devices.replicate(())
  rows = np.zeros(_BATCHES.value * devices.mesh().size, np.float32)
  arguments = program, nothing, (rows,), 1
  devices.fetch(program(nothing, rows[: devices.mesh().size]))
  once, late = (
    _seconds(batches(*arguments)) / _BATCHES.value
    for batches in (devices.dispatch, devices.stream)
  )
  print(
    f"a batch: {1000 * once:.0f} ms read at once, {1000 * late:.0f} ms read late "
    f"({once / late:.2f}x); the device works {1000 * _DEVICE.value:.0f} ms of it"
  )


if __name__ == "__main__":
  app.run(main)
