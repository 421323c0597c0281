"""What comes with the package: folders of a checkout, or of a wheel."""

import pathlib

_PACKAGE = pathlib.Path(__file__).parent


def folder(name: str) -> pathlib.Path:
  """`configs` or `third_party`: at the top of a checkout, and in a wheel inside the package."""
  installed = _PACKAGE / name
  return installed if installed.is_dir() else _PACKAGE.parent / name


def configs() -> dict[str, pathlib.Path]:
  """The configs that `jaxbench run` knows by name, sorted."""
  return {file.stem: file for file in sorted(folder("configs").glob("*.py"))}
