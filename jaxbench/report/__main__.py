"""Writes a report of one or several runs.

python -m jaxbench.report runs/quickstart --out=report.html [--robustbench=model_info]
  [--overlap=FOLDER]
"""

import sys
from collections.abc import Sequence

from absl import app, flags

from jaxbench import errors, report

_ROBUSTBENCH = flags.DEFINE_string(
  "robustbench", None, "Also write results of AutoAttack to this folder, as RobustBench has them."
)
_OVERLAP = flags.DEFINE_string("overlap", None, "Folder that jaxbench.overlap has written.")
_THRESHOLD = flags.DEFINE_float(
  "overlap_threshold", None, "Similarity from which an example overlaps; default: as calibrated."
)
_OUT = flags.DEFINE_string("out", "report.html", "The HTML file to write.")


def main(arguments: Sequence[str]) -> int:
  """Returns the exit status."""
  try:
    if len(arguments) < 2:
      raise errors.InputError("name at least one run: python -m jaxbench.report runs/quickstart")
    report.write(
      arguments[1:], _OUT.value, overlap=_OVERLAP.value, overlap_threshold=_THRESHOLD.value
    )
    if _ROBUSTBENCH.value:
      for run in arguments[1:]:
        print("robustbench:", *report.robustbench(run, _ROBUSTBENCH.value))
  except (errors.InputError, OSError) as error:
    print(f"jaxbench.report: {error}", file=sys.stderr)
    return 2
  print(f"report: {_OUT.value}")
  return 0


if __name__ == "__main__":
  app.run(main)
