"""The `jaxbench` command: `python -m jaxbench` under another name."""

import runpy


def main() -> None:
  """Runs the package as a program, so that --help finds its flags."""
  runpy.run_module("jaxbench", run_name="__main__", alter_sys=True)
