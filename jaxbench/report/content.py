"""What a report says of one run: plain values, ready for the page's template."""

import collections
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import pyarrow as pa
from etils import epath

from jaxbench import metrics, records
from jaxbench.records import directions
from jaxbench.report import (
  averages,
  certificates,
  data_set,
  defended,
  factors,
  first,
  natural,
  on_disk,
  probed,
  retrieved,
  rewritten,
  spent,
  training_data,
)
from jaxbench.report.classifiers import ByCell, Classifier, Row, of_run
from jaxbench.report.doubts import doubts

_UNFINISHED = "not computed yet; the same command continues the run"


class Run(NamedTuple):
  """Everything about one run."""

  workdir: str
  run: dict[str, Any]  # run.json.
  config: str
  summary: pa.Table  # Of `metrics.summarize`.
  first: first.First
  classifiers: list[Classifier]
  data: list[data_set.DataSet]
  natural: natural.Natural | None
  shifts: list[Row]  # Effective robustness, a row per natural shift and classifier.
  averages: list[averages.Suite]  # Over data sets.
  retrieved: list[retrieved.Retrieved]  # Images with captions.
  probes: list[probed.Section]  # Of composition.
  rewritten: list[rewritten.Section]  # Attacked texts.
  outliers: list[Row]  # How well they are told from what is known, by classifier and score.
  factors: factors.Factors | None  # ImageNet-X, where its file was named.
  certified: certificates.Section | None  # Radii of models within randomised smoothing.
  defended: defended.Section | None  # Models within test-time defences, beside these without.
  overlap: training_data.Overlap | None  # With training data, where it was looked for.
  missing: dict[str, list[str]]  # What could not be run, by the reason.
  spent: dict[str, str]  # How the sessions that tell spent their time, by their names.
  warnings: list[Row]  # What makes a figure doubtful, with what to do.
  forwards: int
  backwards: int

  @property
  def prompts(self) -> list[str]:
    """Prompt sets, of which the pictures show one at a time."""
    return list(dict.fromkeys(each.prompts for each in self.classifiers if each.prompts))

  @property
  def zero_shot(self) -> list[Classifier]:
    """A classifier for each prompt set, for what they have in common."""
    first = {each.prompts: each for each in reversed(self.classifiers) if each.prompts}
    return [first[name] for name in self.prompts]

  @property
  def contents(self) -> dict[str, str]:
    """The sections that it has: where they are, and what they are called."""
    data = self.data
    there = {
      "natural": (
        "natural shifts" if self.natural and self.natural.shifts else "data sets",
        self.natural,
      ),
      "averages": ("averages over data sets", self.averages),
      "retrieval": ("retrieval", self.retrieved),
      "probes": ("composition", self.probes),
      "corruptions": ("corruptions", any(one.worsened for one in data)),
      "attacks": ("attacks", any(one.assaulted for one in data)),
      "text": ("text", any(one.texts for one in data)),
      "rewritten": ("attacked texts", self.rewritten),
      "calibration": ("calibration, classes", any(one.calibration or one.weakest for one in data)),
      "defences": ("defences", self.defended or self.certified),
      "overlap": ("overlap", self.overlap),
      "cost": ("cost", any(one.costs for one in data)),
      "protocol": ("protocol", True),
    }
    return {place: name for place, (name, is_there) in there.items() if is_there}


def load(
  workdir: epath.PathLike,
  findings: training_data.Findings | None = None,
  known: Mapping[str, frozenset[str]] | None = None,
) -> Run:
  """Reads a run, finished or not.

  Args:
    workdir: its folder.
    findings: of a search for its examples in training data.
    known: the factors of ImageNet's validation images, of `metrics.read_factors`.

  Raises:
    InputError: the folder holds no run or no records, or they are of other examples.
  """
  run, unreadable = records.load_run(workdir), records.unreadable(workdir)
  rows = records.read_finished(workdir)
  by_cell = records.by_cell(rows)
  summarized = metrics.summarize(rows)
  summary = {row["cell"]: row for row in summarized.to_pylist()}
  classifiers = of_run(run)
  shown = on_disk.gathered(run)
  shifts = metrics.summarize_shifts(summarized).to_pylist()
  within = defended.section(rows, run, classifiers)
  certified = certificates.section(rows, run, classifiers)
  names = [name for name in run["data"] if name in shown["data"]]
  data = [
    data_set.data_set(name, shown, rows, by_cell, summary, classifiers)
    for name in shown["data"]
    if not directions.are_captions(name)
  ]
  captioned = retrieved.retrieved(rows, classifiers, run)
  found = {each.name for each in captioned}
  metric = {name: known.get("metric", "") for name, known in run["data"].items()}
  found |= {name for name in names if metric[name] == metrics.PREFERRED}  # Of probes.
  names = [name for name in names if directions.images_of(name) not in found]
  of_nature = natural.natural(list(summary.values()), shifts, classifiers, names, run)
  found_images = retrieved.text_to_image(captioned)
  of_texts = rewritten.sections(rows, classifiers)
  return Run(
    workdir=str(workdir),
    run=run,
    config=json.dumps(run["identity"]["config"], indent=2),
    summary=summarized,
    classifiers=classifiers,
    first=first.first(
      run,
      data,
      of_nature,
      shifts,
      list(summary.values()),
      classifiers,
      found_images,
      rewritten.left(of_texts),
      defended.left(within, classifiers),
    ),
    data=data,
    natural=of_nature,
    shifts=[row | {"differs": natural.unlike(row, summary.values(), run)} for row in shifts],
    averages=averages.suites(summary, metrics.averages(summarized, metric), run),
    retrieved=captioned,
    probes=probed.sections(rows, classifiers),
    rewritten=of_texts,
    outliers=metrics.summarize_outliers(rows).to_pylist(),
    factors=None if known is None else factors.section(rows, known, classifiers),
    certified=certified,
    defended=within,
    overlap=None if findings is None else training_data.section(findings, rows, classifiers),
    missing=_missing(run, by_cell, unreadable),
    spent=spent.spent(workdir),
    warnings=[
      *doubts(run, rows, unreadable),
      *(defended.doubts(within, run) if within else []),
      *(certificates.doubts(certified) if certified else []),
    ],
    forwards=sum(row["forwards"] for row in summary.values()),
    backwards=sum(row["backwards"] for row in summary.values()),
  )


def _missing(run: Row, by_cell: ByCell, unreadable: pa.Table) -> dict[str, list[str]]:
  """What is absent for good, and what has not been computed yet."""
  lost = collections.Counter(unreadable["data"].to_pylist())
  missing: dict[str, list[str]] = {}
  for absent in run["absent"]:
    missing.setdefault(absent["reason"], []).append(absent["what"])
  given_up = {absent["what"] for absent in run["absent"]}
  unfinished = [
    cell["id"]
    for cell in run["cells"]
    if len(by_cell.get(cell["id"], ())) < cell["examples"] - lost[cell["data"]]
    and cell["id"] not in given_up
  ]
  return missing | ({_UNFINISHED: unfinished} if unfinished else {})
