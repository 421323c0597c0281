"""Writes a report of one or several runs; several are compared with the first.

python -m jaxbench.report runs/quickstart --out=report.html [--export=tables] \
  [--robustbench=model_info] [--overlap=FOLDER]
"""

import sys
from collections.abc import Sequence

from absl import app, flags

from jaxbench import errors, report
from jaxbench.storage import places

_EXPORT = flags.DEFINE_string(
  "export", None, "Also write CSV, LaTeX and model cards to this folder; of several, one for each."
)
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
    _, *runs = arguments
    places.for_file("--out", _OUT.value)
    for flag in (_EXPORT, _ROBUSTBENCH):
      if flag.value:
        places.for_folder(f"--{flag.name}", flag.value)
    report.write(runs, _OUT.value, overlap=_OVERLAP.value, overlap_threshold=_THRESHOLD.value)
    for number, run in enumerate(runs, 1):
      if _EXPORT.value:
        folder = _EXPORT.value if len(runs) == 1 else f"{_EXPORT.value}/{number}"
        print("export:", *report.export(run, folder))
      if _ROBUSTBENCH.value:
        print("robustbench:", *report.robustbench(run, _ROBUSTBENCH.value))
  except (errors.InputError, OSError) as error:
    print(f"jaxbench.report: {error}", file=sys.stderr)
    return 2
  print(f"report: {_OUT.value}")
  return 0


if __name__ == "__main__":
  app.run(main)
