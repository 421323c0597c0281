"""Data tables made elsewhere: third_party/ of a checkout, jaxbench/third_party of a wheel."""

import pathlib


def path(name: str) -> pathlib.Path:
  """Path of the table `name`; third_party/README.md lists them with source and licence."""
  package = pathlib.Path(__file__).parent
  installed = package / "third_party"
  return (installed if installed.is_dir() else package.parent / "third_party") / name
