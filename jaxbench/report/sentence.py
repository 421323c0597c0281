"""What was run, in one sentence."""

from collections.abc import Iterator, Sequence

from jaxbench.records import kinds
from jaxbench.report.classifiers import Row

_SUITES = {  # By kind, one and several.
  kinds.CORRUPTION: ("corruption", "corruptions"),
  kinds.SEQUENCE: ("sequence of frames", "sequences of frames"),
  kinds.STYLIZATION: ("stylization", "stylizations"),
  kinds.TYPOGRAPHY: ("typographic attack", "typographic attacks"),
  kinds.UNIVERSAL: ("universal perturbation", "universal perturbations"),
  kinds.ATTACK: ("attack", "attacks"),
  kinds.TARGETED: ("targeted attack", "targeted attacks"),
  kinds.SMALLEST: ("search for the smallest epsilon", "searches for the smallest epsilon"),
  kinds.CERTIFIED: ("certificate", "certificates"),
  kinds.TRANSFER: ("transfer attack", "transfer attacks"),
  kinds.JOINT: ("attack on both sides", "attacks on both sides"),
  kinds.TEXT_ATTACK: ("attack on texts", "attacks on texts"),
  kinds.SMALLEST_TRANSFER: ("bisected transfer attack", "bisected transfer attacks"),
}


def sentence(run: Row, summary: Sequence[Row]) -> str:
  """What was run, in words."""
  cells = run["cells"]
  models = len({cell["model"] for cell in cells})
  lines = len({(cell["model"], cell["prompts"]) for cell in cells})
  prompted = f" ({lines} with their prompts)" if lines > models else ""
  sizes = {cell["data"]: cell["examples"] for cell in cells}
  most = 4  # Data sets that are named.
  data = ", ".join(f"{count:,} examples of {name}" for name, count in list(sizes.items())[:most])
  more = f" and {len(sizes) - most} more data sets" if len(sizes) > most else ""
  suites = list(_suites(cells))
  done = f"clean and under {_listed(suites)}" if suites else "clean images"
  passes = sum(row["forwards"] + row["backwards"] for row in summary)
  who = f"{_count(models, 'model', 'models')}{prompted}"
  return f"{who} on {data}{more}, {done}; {passes:,} passes."


def _suites(cells: Sequence[Row]) -> Iterator[str]:
  for kind, words in _SUITES.items():
    same = [cell for cell in cells if cell["kind"] == kind]
    settings = len({cell["setting"] for cell in same})
    if same:
      at = {kinds.CORRUPTION: "severities", kinds.ATTACK: "epsilons"}.get(kind, "")
      ranged = f" at {settings} {at}" if at and settings > 1 else ""
      yield _count(len({cell["perturbation"] for cell in same}), *words) + ranged


def _count(number: int, one: str, several: str) -> str:
  return f"{number} {one if number == 1 else several}"


def _listed(words: list[str]) -> str:
  return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))
