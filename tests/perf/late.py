"""How long a device waits for a host that reads its answers; run by hand.

  python tests/perf/late.py [--device=0.05] [--host=0.03]

Clean predictions of digits, 8 at a time. The device is delayed: a thread sleeps before it answers.
So is the host, after it has read a batch. Read at once, a batch costs both; read one late, as
`devices.late` has it, the longer of the two.
"""

import concurrent.futures
import tempfile
import time
from typing import Any
from unittest import mock

import jax
from absl import app, flags

from jaxbench import blocks, config, data, devices, models, records
from jaxbench.attacks.engine import batching
from jaxbench.evaluate import evaluator, heads
from jaxbench.evaluate.slots import Slots

_DEVICE = flags.DEFINE_float("device", 0.05, "Seconds of the device for a batch.")
_HOST = flags.DEFINE_float("host", 0.03, "Seconds of the host for a batch.")
_BATCHES, _BATCH = 20, 8


def main(_: list[str]) -> None:
  """Prints both times."""
  source, preprocess = data.load("digits"), models.Preprocess(32)
  store = records.Store(tempfile.mkdtemp(), {"identity": {}})
  judging = evaluator.Evaluator(
    config.checked(config.Config(models=("digits-resnet",), data=("digits",))),
    source.label_space,
    lambda name: devices.replicate(models.load(name)),
    heads.Heads(store.workdir),
    Slots(store, _BATCH // devices.mesh().size),
    batching.Tally(),
  )
  indices = range(_BATCHES * _BATCH)
  ((block, _),) = blocks.stream(source, [indices], preprocess, [0], workers=0)
  predict, fetch = evaluator.prediction(False), devices.fetch
  thread = concurrent.futures.ThreadPoolExecutor(1)  # A device does one thing after another.

  def answer(*arguments: Any) -> Any:
    time.sleep(_DEVICE.value)
    return jax.block_until_ready(predict(*arguments))

  def read(told: concurrent.futures.Future[Any]) -> Any:
    result = fetch(told.result())
    time.sleep(_HOST.value)
    return result

  def seconds() -> float:
    began = time.perf_counter()
    judging.clean([config.Member("digits-resnet", None)], block)
    return (time.perf_counter() - began) / _BATCHES

  delayed = mock.patch.object(
    evaluator, "prediction", lambda: lambda *arguments: thread.submit(answer, *arguments)
  )
  with delayed, mock.patch.object(devices, "fetch", read):
    seconds()
    late = seconds()
    with mock.patch.object(devices, "late", iter):
      once = seconds()
  print(
    f"a batch: {1000 * once:.0f} ms read at once, {1000 * late:.0f} ms read late: "
    f"{once / late:.2f}x; of both, {1000 * _DEVICE.value:.0f} ms are the device's"
  )


if __name__ == "__main__":
  app.run(main)
