"""How many examples each device works on at once, where nobody says it: the default of `slots`."""

from collections.abc import Iterable
from typing import Any

from jaxbench import devices

MOST = 256  # Slots of an accelerator, beyond which nothing is gained.
# So many keep it busy with all but small models. More are for examples that fill them several
# times: the last ones go on in slots of which most are empty.
_ACCELERATOR, _FILLS = 64, 4
# One image of a large model keeps a core busy, and more than a few leave its caches. In small ones
# the work between two products counts, which is less an image the more of them share it.
_ON_CPU, _ON_CPU_SMALL = 8, 32
_SMALL = 16e6  # Bytes of weights.
_MULTIPLE = 8


def fastest(leaves: Iterable[Any], examples: int, most: int = _ACCELERATOR) -> int:
  """The slots on each device that are the fastest, whether or not they fit its memory.

  Args:
    leaves: arrays of the classifier; none, if it closes over them.
    examples: that there are to work on.
    most: slots of an accelerator, of which nobody asks here whether they fit.
  """
  if on_cpu():
    most = _ON_CPU_SMALL if is_small(leaves) else _ON_CPU
  else:
    most = min(most, max(_ACCELERATOR, examples // devices.mesh().size // _FILLS))
  return even(examples, most)


def even(examples: int, most: int) -> int:
  """Slots on each device, up to `most`, that examples fill to the last batch.

  As few programs serve all numbers of examples, it is one to 8, or a multiple of 8 (or `most`).
  """
  each = max(1, -(-examples // devices.mesh().size))
  size = -(-each // -(-each // most))
  return size if size <= _MULTIPLE else min(most, -(-size // _MULTIPLE) * _MULTIPLE)


def on_cpu() -> bool:
  """Whether the devices are a CPU's cores."""
  return devices.mesh().devices.flat[0].platform == "cpu"


def is_small(leaves: Iterable[Any]) -> bool:
  """Whether a classifier of these arrays needs little work and memory for an image."""
  return 0 < weight(leaves) < _SMALL


def weight(leaves: Iterable[Any]) -> int:
  """Bytes of the arrays among them."""
  return sum(getattr(leaf, "nbytes", 0) for leaf in leaves)
