"""What is known of a published data set: where people keep it, and how much of it there is."""

import dataclasses
import pathlib
import re
from collections.abc import Callable

from jaxbench.data.source import Source


@dataclasses.dataclass(frozen=True)
class Published:
  """A data set that a person has on the disk."""

  places: tuple[str, ...]  # Below the data root; patterns. The first that is there is read.
  read: Callable[[pathlib.Path], Source]
  examples: int  # As published.
  origin: str  # Where it can be had.

  def find(self, root: pathlib.Path) -> pathlib.Path | None:
    """Where it lies below `root`, in the newest version if there are several; or None."""
    found = (max(root.glob(place), key=_version, default=None) for place in self.places)
    return next((path for path in found if path is not None), None)


def _version(path: pathlib.Path) -> list[int]:
  return [int(number) for number in re.findall(r"\d+", path.name)]
