"""The section of a report on tables that others have published, beside our own numbers."""

from typing import NamedTuple

from jaxbench import metrics
from jaxbench.metrics import published
from jaxbench.report import protocols
from jaxbench.report.by_setting import Table
from jaxbench.report.classifiers import Classifier, Row
from jaxbench.report.protocols import Beside


class Line(NamedTuple):
  """One of our classifiers below a published table."""

  classifier: Classifier
  published_as: str | None  # What the same weights are called there.
  cells: list[tuple[Row | None, Beside | None]]  # By setting, with the number of the same weights.
  differs: str  # What is not as it was there, in words.


class Published(NamedTuple):
  """Others' numbers beside our own, on one data set."""

  table: published.Table
  settings: list[str]  # "clean" and epsilons.
  attack: str | None  # Of our own numbers.
  theirs: list[tuple[str, list[float | None]]]  # Shares.
  ours: list[Line]


def beside(name: str, data: str, tables: list[Table], run: Row) -> Published | None:
  """A published table of the data set, with one attack of `tables` beside it: its own, if there.

  Args:
    name: of the published table.
    data: the data set.
    tables: ours of it, the clean images first.
    run: run.json.
  """
  theirs: dict[str, dict[str, float]] = {}
  for line in published.accuracies(name, data):
    theirs.setdefault(line.model, {})[line.epsilon] = line.accuracy
  if not theirs:
    return None
  settings = list(dict.fromkeys(setting for row in theirs.values() for setting in row))
  cells = {cell["id"]: cell for cell in run["cells"]}
  attack = _attack(name, data, tables, cells)
  ours = []
  for classifier, (clean, *_) in tables[0].lines if tables else ():
    computed: dict[str, Row | None] = {"clean": clean}
    if attack is not None:
      computed |= dict(zip(attack.settings, dict(attack.lines)[classifier], strict=True))
    shown = {setting: computed.get(setting) for setting in settings}
    ours.append(_line(name, data, classifier, shown, run, cells))
  return Published(
    published.TABLES[name],
    settings,
    attack and attack.perturbation,
    [(model, [row.get(setting) for setting in settings]) for model, row in theirs.items()],
    ours,
  )


class Clean(NamedTuple):
  """A clean accuracy of ours with the published one of the same weights."""

  classifier: Classifier
  row: Row
  field: str  # Of the row: the figure that papers report of the set.
  published: Beside


def of_clean(data: str, metric: str, tables: list[Table], run: Row) -> list[Clean]:
  """Our clean accuracies on a set of the zero-shot papers whose weights have published ones.

  Args:
    data: the data set.
    metric: that papers report of it.
    tables: ours of it, the clean images first.
    run: run.json.
  """
  cells = {cell["id"]: cell for cell in run["cells"]}
  found = []
  for classifier, (row, *_) in tables[0].lines if tables else ():
    reference = published.zero_shot(classifier.model, data, metric)
    if row is not None and reference is not None:
      unlike = protocols.differences(reference.protocol, run, cells[row["cell"]], row["examples"])
      found.append(
        Clean(classifier, row, metrics.headline(metric), protocols.beside(reference, unlike))
      )
  return found


def _attack(name: str, data: str, tables: list[Table], cells: dict[str, Row]) -> Table | None:
  """That of the protocol; else the first in linf, the ball of published tables."""
  attack = published.protocol(name, data, None, attacked=True).attack
  comparable = [table for table in tables if table.norm == "linf"]
  for table in comparable:
    row = next((row for _, line in table.lines for row in line if row), None)
    if row and attack and protocols.same_attack(cells[row["cell"]], attack):
      return table
  return comparable[0] if comparable else None


def _line(
  name: str,
  data: str,
  classifier: Classifier,
  computed: dict[str, Row | None],
  run: Row,
  cells: dict[str, Row],
) -> Line:
  line, shares = published.under_attack(name, data, classifier.model) or (None, {})
  shown: list[tuple[Row | None, Beside | None]] = []
  differs: dict[str, tuple[str, ...]] = {}
  for setting, row in computed.items():
    reference = None
    if row is not None:
      protocol = published.protocol(name, data, line, attacked=setting != "clean")
      unlike = protocols.differences(protocol, run, cells[row["cell"]], row["examples"])
      differs["clean" if setting == "clean" else "attacked"] = unlike
      if setting in shares:
        reference = Beside(shares[setting], published.TABLES[name].source, unlike)
    shown.append((row, reference))
  return Line(classifier, line, shown, _words(differs))


def _words(differs: dict[str, tuple[str, ...]]) -> str:
  """Once what clean and attacked images have in common."""
  if len(set(differs.values())) < 2:
    return "; ".join(next(iter(differs.values()), ()))
  common = [what for what in differs["clean"] if what in differs["attacked"]]
  sentences = ["; ".join(common)] if common else []
  for images, words in differs.items():
    if alone := [what for what in words if what not in common]:
      sentences.append(f"{images}: {'; '.join(alone)}")
  return ". ".join(sentences)
