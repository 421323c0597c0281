"""Data tables made elsewhere; third_party/README.md lists them with source and licence."""

import pathlib

from jaxbench import bundled


def path(name: str) -> pathlib.Path:
  """Path of the table `name`."""
  return bundled.folder("third_party") / name
