"""Prints what a config would run and its cost: python -m jaxbench.plan quickstart."""

import runpy
import sys

if __name__ == "__main__":
  sys.argv[1:1] = ["plan"]
  runpy.run_module("jaxbench", run_name="__main__", alter_sys=True)
