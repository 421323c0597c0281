"""What a test-time defence is worth: under the worst of all attacks, beside the undefended model.

An image counts as far as the model withstands every attack of an epsilon: for a randomised model
the smallest share of its evaluations that were right, for another one or zero.
"""

import collections
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jaxbench import model_names, spec
from jaxbench.records import kinds, wording

_RESAMPLES = 1000
_HUGE = 32 / 255  # From here on an attack should leave nothing but chance.
LEVELS = ("gray", "white", "black")


class Defended(NamedTuple):
  """One defended model under the attacks of one epsilon; shares of the examples."""

  model: str
  base: str
  data: str
  prompts: str | None
  epsilon: float
  examples: int
  clean: float | None
  gray: float | None  # Under images that were made on the base; None: there were none.
  white: float | None  # Made through this defence, by any derivative.
  black: float | None  # From answers alone.
  worst: float  # Under whatever is the worst for each image, images made on others too.
  majority: float  # The share of the examples that most evaluations have right under the worst.
  always: float  # That all have.
  base_worst: float  # Of the base, under the same attacks.
  difference: float  # `worst` less that, over the same examples.
  low: float  # 95 % percentile bootstrap interval of the difference, over the examples.
  high: float
  base_clean: float | None  # Of the base.
  same: float | None  # The share of the examples whose clean prediction is the base's.
  white_by: Mapping[str, float]  # `white` by the derivative, and where the images began.
  black_by: Mapping[str, float]  # `black` by the attack.
  passes: tuple[int, int] | None  # Forward and backward ones of a prediction; None: of older runs.

  @property
  def setting(self) -> str:
    """The epsilon as people write it."""
    return wording.format_epsilon(self.epsilon)


def summarize_defended(
  rows: pa.Table, cells: Iterable[Mapping[str, Any]], seed: int = 0
) -> list[Defended]:
  """A row for each defended model and epsilon whose base was evaluated on the same examples.

  Args:
    rows: of `records.read`.
    cells: of `run.json`, which say what each is.
    seed: of the bootstrap.
  """
  models: dict[tuple[Any, ...], list[Mapping[str, Any]]] = collections.defaultdict(list)
  for cell in cells:
    if kinds.of(cell) in (kinds.CLEAN, kinds.ATTACK, kinds.TRANSFER):
      models[cell["model"], cell["data"], cell["prompts"]].append(cell)
  found: list[Defended] = []
  for (model, data, prompts), its_cells in models.items():
    base, defences = model_names.split_defences(model)
    of_base = models.get((base, data, prompts), [])
    if not defences or not of_base:
      continue
    shares = shares_right(rows, [cell["id"] for cell in (*its_cells, *of_base)])
    for epsilon in sorted({cell["epsilon"] for cell in its_cells} - {None}):
      both = [
        [cell for cell in some if cell["epsilon"] in (None, epsilon) and cell["id"] in shares]
        for some in (its_cells, of_base)
      ]
      names = {"model": model, "base": base, "data": data, "prompts": prompts, "epsilon": epsilon}
      if all(any(cell["epsilon"] is not None for cell in some) for some in both):
        clean = [
          [cell["id"] for cell in some if kinds.of(cell) == kinds.CLEAN]
          for some in (its_cells, of_base)
        ]
        names["same"] = _same(rows, *clean)
        found += _compared(names, both[0], both[1], shares, seed)
  return found


def _same(rows: pa.Table, ours: list[str], theirs: list[str]) -> float | None:
  """The share of examples that two cells of clean images predict alike."""
  if not ours or not theirs:
    return None
  predictions = []
  for cell in (ours[0], theirs[0]):
    some = rows.filter(pc.equal(rows["cell"].cast(pa.string()), cell))
    columns = (some[name].to_pylist() for name in ("example", "prediction"))
    predictions.append(dict(zip(*columns, strict=True)))
  both = predictions[0].keys() & predictions[1].keys()
  return float(np.mean([predictions[0][one] == predictions[1][one] for one in both]))


def shares_right(rows: pa.Table, cells: list[str]) -> dict[str, dict[str, float]]:
  """How far each example is right, by cells."""
  some = rows.filter(pc.is_in(rows["cell"].cast(pa.string()), value_set=pa.array(cells)))
  found: dict[str, dict[str, float]] = collections.defaultdict(dict)
  for row in some.select(["cell", "example", "label", "prediction", "right"]).to_pylist():
    share = row["right"]
    share = float(row["prediction"] == row["label"]) if share is None else share
    found[row["cell"]][row["example"]] = share
  return found


def _compared(
  names: dict[str, Any],
  cells: list[Mapping[str, Any]],
  of_base: list[Mapping[str, Any]],
  shares: dict[str, dict[str, float]],
  seed: int,
) -> Iterator[Defended]:
  """One defended model at one epsilon beside its base, if they share examples."""
  examples = sorted(set.intersection(*(set(shares[cell["id"]]) for cell in [*cells, *of_base])))
  if not examples:
    return

  def least(some: list[Mapping[str, Any]]) -> np.ndarray:
    return np.min([[shares[cell["id"]][one] for one in examples] for cell in some], axis=0)

  by_level: dict[str | None, list[Mapping[str, Any]]] = collections.defaultdict(list)
  for cell in cells:
    by_level[_level(cell, names["base"])].append(cell)
  levels: dict[str, Any] = {
    name: float(least(by_level[name]).mean()) if by_level[name] else None
    for name in ("clean", *LEVELS)
  }
  base_clean = [cell for cell in of_base if kinds.of(cell) == kinds.CLEAN]
  parts = {
    "white_by": _by(by_level["white"], _derivative),
    "black_by": _by(by_level["black"], lambda cell: cell["perturbation"]),
  }
  detail: dict[str, Any] = {
    name: {key: float(least(some).mean()) for key, some in split.items()}
    for name, split in parts.items()
  }
  passes = cells[0].get("prediction")
  worst, base_worst = least(cells), least(of_base)
  low, high = _interval(worst - base_worst, seed)
  yield Defended(
    **names,
    examples=len(examples),
    **levels,
    worst=float(worst.mean()),
    majority=float((worst > 0.5).mean()),
    always=float((worst == 1).mean()),
    base_worst=float(base_worst.mean()),
    difference=float((worst - base_worst).mean()),
    low=low,
    high=high,
    base_clean=float(least(base_clean).mean()) if base_clean else None,
    **detail,
    passes=tuple(passes) if passes else None,
  )


def _by(
  cells: list[Mapping[str, Any]], key: Callable[[Mapping[str, Any]], str]
) -> dict[str, list[Mapping[str, Any]]]:
  """Cells by something of them."""
  found: dict[str, list[Mapping[str, Any]]] = collections.defaultdict(list)
  for cell in cells:
    found[key(cell)].append(cell)
  return found


def _derivative(cell: Mapping[str, Any]) -> str:
  """How a defence was differentiated: "bpda"; "exact, from gray" where the images began there."""
  first, _, last = (cell["surrogate"] or cell["model"]).rpartition(">")
  defences = model_names.split_defences(last.strip())[1]
  told = [str(spec.parse(text, "defence")[1].get("backward", "exact")) for text in defences]
  return "+".join(dict.fromkeys(told)) + (", from gray" if first else "")


def _level(cell: Mapping[str, Any], base: str) -> str | None:
  """What the attacker of a cell knew of its model; None: of another one."""
  if kinds.of(cell) == kinds.CLEAN:
    return "clean"
  if kinds.of(cell) == kinds.ATTACK:
    return "white" if cell["backwards"] else "black"
  surrogate = (
    cell["surrogate"].rpartition(">")[2].strip()
  )  # What begins at images of another is its own.
  if surrogate == base:
    return "gray"
  return "white" if _undirected(surrogate) == _undirected(cell["model"]) else None


def _undirected(model: str) -> tuple[str, tuple[str, ...]]:
  """A model and the defences around it, without how they are differentiated."""
  base, defences = model_names.split_defences(model)
  told = []
  for text in defences:
    name, arguments = spec.parse(text, "defence")
    arguments.pop("backward", None)
    told.append(spec.write(name, dict(sorted(arguments.items()))))
  return base, tuple(told)


def _interval(differences: np.ndarray, seed: int) -> tuple[float, float]:
  count, draw = len(differences), np.random.default_rng(seed)
  means = draw.multinomial(count, np.full(count, 1 / count), _RESAMPLES) @ differences / count
  low, high = np.percentile(means, [2.5, 97.5])
  return float(low), float(high)


def defence_doubts(found: Defended, classes: int | None = None) -> Iterator[str]:
  """Why the figures of a defence are not to be trusted, a sentence each.

  Args:
    found: its figures.
    classes: of the data set, where they are known.
  """
  gray, white, black = found.gray, found.white, found.black
  if gray is not None and white is not None and white > gray:
    yield (
      "images made on the undefended model fool it more often than images made through it: "
      "gradients through it are masked, or the attack is too short"
    )
  if black is not None and white is not None and black < white:
    yield "queries of answers fool it more often than gradients do: these are masked"
  if found.same == 1 and found.low > 0:
    yield (
      f"it predicts what the undefended model does on all {found.examples} clean images, and yet "
      "withstands more: what changes no answer can only hide gradients"
    )
  if classes and found.epsilon >= _HUGE and found.worst > 1 / classes:
    yield (
      f"at {found.setting}, where images may look like anything, more is left than one of "
      f"{classes} classes by chance: no attack has worked"
    )
  if white is None:
    yield "no attack went through it: its figure is that of an attacker who does not know it"
