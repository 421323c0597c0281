"""Writes a report of one or several runs; several are compared with the first.

python -m jaxbench.report runs/quickstart --out=report.html [--export=tables] \
  [--export=rows] [--export=markdown] [--robustbench=model_info] [--overlap=FOLDER] \
  [--imagenet_x=FILE]
"""

import sys
from collections.abc import Sequence

from absl import flags
from etils import epath

from jaxbench import errors, program, report
from jaxbench.storage import atomic, places

_FLAGS = flags.FlagValues()
_EXPORT = flags.DEFINE_multi_string(
  "export",
  [],
  "Also write CSV, LaTeX and model cards to this folder; of several, one for each. Or one of two "
  "words, for a file beside the page: rows, for a CSV of all rows; markdown, for the first table.",
  flag_values=_FLAGS,
)
_ROBUSTBENCH = flags.DEFINE_string(
  "robustbench",
  None,
  "Also write results of AutoAttack to this folder, as RobustBench has them.",
  flag_values=_FLAGS,
)
_OVERLAP = flags.DEFINE_string(
  "overlap", None, "Folder that jaxbench.overlap has written.", flag_values=_FLAGS
)
_THRESHOLD = flags.DEFINE_float(
  "overlap_threshold",
  None,
  "Similarity from which an example overlaps; default: as calibrated.",
  flag_values=_FLAGS,
)
_IMAGENET_X = flags.DEFINE_string(
  "imagenet_x",
  None,
  "Also tell errors on ImageNet by the factors of ImageNet-X: its imagenet_x_val_top_factor.jsonl.",
  flag_values=_FLAGS,
)
_OUT = flags.DEFINE_string("out", "report.html", "The HTML file to write.", flag_values=_FLAGS)


_BESIDE = {"rows": "rows.csv", "markdown": "summary.md"}  # What is written beside the page.


def _write(runs: Sequence[str]) -> int:
  if not runs:
    raise errors.InputError("name at least one run: python -m jaxbench.report runs/quickstart")
  places.for_file("--out", _OUT.value)
  folders = [name for name in _EXPORT.value if name not in _BESIDE]
  for flag, wanted in (("export", folders), ("robustbench", filter(None, [_ROBUSTBENCH.value]))):
    for folder in wanted:
      places.for_folder(f"--{flag}", folder)
  report.write(
    runs,
    _OUT.value,
    overlap=_OVERLAP.value,
    overlap_threshold=_THRESHOLD.value,
    imagenet_x=_IMAGENET_X.value,
  )
  for number, run in enumerate(runs, 1):
    alone = len(runs) == 1
    for name in _EXPORT.value:
      if name in _BESIDE:
        print("export:", _beside(name, run, "" if alone else f"{number}-"))
      else:
        print("export:", *report.export(run, name if alone else f"{name}/{number}"))
    if _ROBUSTBENCH.value:
      print("robustbench:", *report.robustbench(run, _ROBUSTBENCH.value))
  print(f"report: {_OUT.value}")
  return 0


def _beside(name: str, run: str, start: str) -> epath.Path:
  """Writes what a word of `--export` asks for."""
  file = epath.Path(_OUT.value).parent / f"{start}{_BESIDE[name]}"
  if name == "rows":
    return report.export_rows(run, file)
  atomic.write(file, report.markdown(run).encode())
  return file


def main(arguments: Sequence[str]) -> int:
  """Returns the exit status."""
  return program.run("jaxbench.report", __doc__, _FLAGS, _write, arguments)


if __name__ == "__main__":
  sys.exit(main(sys.argv[1:]))
