"""`python -m jaxbench.corruptions` as a command: jaxbench corrupt IMAGE --out=sheet.png."""

import sys

from jaxbench.corruptions.__main__ import main

__all__ = ["main"]

if __name__ == "__main__":
  sys.exit(main(sys.argv[1:]))
