"""`python -m jaxbench.models.convert` as a command: jaxbench convert SRC DST."""

import sys

from jaxbench.models.convert import main

__all__ = ["main"]

if __name__ == "__main__":
  sys.exit(main(sys.argv[1:]))
