"""The gallery of a report: which pictures it shows, and for how many there is room."""

import collections
import itertools
from collections.abc import Iterable
from typing import Any, NamedTuple

import pyarrow as pa

from jaxbench.records import kinds
from jaxbench.report import gallery
from jaxbench.report.by_setting import Table
from jaxbench.report.classifiers import ByCell, Classifier, Row, ids
from jaxbench.report.typographic import Text

_ROOM = 600_000  # Characters of pictures in a page.
_MOST = 12  # Pictures of a suite.
SUITES = {  # Kinds whose pictures stand together.
  "corruptions": (kinds.CORRUPTION, kinds.STYLIZATION, kinds.SEQUENCE),
  "attacks": (
    kinds.UNIVERSAL,
    kinds.ATTACK,
    kinds.TARGETED,
    kinds.SMALLEST,
    kinds.TRANSFER,
    kinds.SMALLEST_TRANSFER,
  ),
  "text": (kinds.TYPOGRAPHY,),
}


class Shown(NamedTuple):
  """Cells whose pictures are shown under one heading."""

  perturbation: str
  lines: list[tuple[Classifier, str]]  # With the cell's id.
  kind: str  # Of `records.kinds`.


class Album(NamedTuple):
  """Pictures under one perturbation that some classifiers were given."""

  perturbation: str
  classifiers: list[Classifier]
  pictures: list[gallery.Picture]
  exact: bool  # The pictures are what was judged, not rounded to 8 bits.
  suite: str  # A key of `SUITES`.
  left_out: int = 0  # Pictures for which there was no room.


def choose(
  tables: list[Table],
  texts: list[Text],
  transferred: list[Row],
  searched: list[Row],
  moving: list[Row],
  classifiers: list[Classifier],
) -> list[Shown]:
  """Each perturbation at its middle setting, for each model with its first prompt set.

  Args:
    tables: of the data set.
    texts: of the data set.
    transferred: its cells of transfer at one epsilon,
    searched: those that bisect
    moving: and those of sequences.
    classifiers: of the run.
  """
  shown: list[Shown] = []
  for table in tables:
    if table.kind == kinds.CLEAN:
      continue
    setting = table.settings[table.middle]
    name = f"{table.perturbation}, {table.axis} {setting}" if setting else table.perturbation
    middle = [(classifier, cells[table.middle]) for classifier, cells in table.lines]
    lines = [(classifier, cell["cell"]) for classifier, cell in middle if cell]
    shown.append(Shown(name, lines, table.kind))
  for text in texts:
    lines = [(classifier, cell) for classifier, cell, _ in text.lines]
    shown.append(Shown(text.overlay, lines, kinds.TYPOGRAPHY))
  settings = list(dict.fromkeys(cell["setting"] for cell in transferred))
  setting = settings[len(settings) // 2] if settings else ""
  middle_ones = [cell for cell in transferred if cell["setting"] == setting]
  for cells, note in (
    (middle_ones, f", epsilon {setting}"),
    (searched, ""),
    (moving, ", last frame"),
  ):
    for perturbation, group in itertools.groupby(cells, key=lambda cell: cell["perturbation"]):
      same = list(group)
      names = ids(same)
      lines = [(each, names[each.key]) for each in classifiers if each.key in names]
      shown.append(Shown(perturbation + note, lines, same[0]["kind"]))
  return [each._replace(lines=_first_prompts(each.lines)) for each in shown]


def _first_prompts(lines: list[tuple[Classifier, str]]) -> list[tuple[Classifier, str]]:
  first = {classifier.model: (classifier, cell) for classifier, cell in reversed(lines)}
  return list(reversed(first.values()))


def albums(
  shown: list[Shown],
  cells: list[Row],
  by_cell: ByCell,
  class_names: list[str],
  settings: dict[str, Any],
) -> list[Album]:
  """What fits; images that several classifiers were given are there once.

  Args:
    shown: of `choose`.
    cells: of the data set.
    by_cell: their rows.
    class_names: of the data set.
    settings: the config.
  """
  computed = {cell["id"]: cell for cell in cells if cell["id"] in by_cell}
  clean: dict[Any, pa.Table] = {}
  for name, cell in computed.items():
    if cell["kind"] == kinds.CLEAN:
      clean[cell["model"], cell["prompts"]] = clean[_preprocessing(cell)] = by_cell[name]
  gathered: dict[Any, Album] = {}
  for each in shown:
    for classifier, name in each.lines:
      if name not in computed:
        continue
      # Images may be as a surrogate has them, or of a size that is not the target's.
      elsewhere = computed[name]["surrogate"] or each.kind == kinds.UNIVERSAL
      key = _preprocessing(computed[name]) if elsewhere else classifier.key
      plain = clean.get(key)
      pictures = plain and gallery.pictures(by_cell[name], plain, class_names, classifier.name)
      if not pictures:
        continue
      same = (each.perturbation, *(picture.perturbed for picture in pictures))
      (suite,) = (name for name, members in SUITES.items() if each.kind in members)
      empty = Album(each.perturbation, [], pictures, _is_exact(each.kind, settings), suite)
      album = gathered.get(same, empty)
      if album.classifiers:
        merged = map(gallery.merge, album.pictures, pictures)
        album = album._replace(pictures=list(merged))
      gathered[same] = album._replace(classifiers=[*album.classifiers, classifier])
  return list(_fitting(gathered.values(), _ROOM))


def _is_exact(kind: str, settings: dict[str, Any]) -> bool:
  """Whether 8 bits hold what is judged of a kind."""
  stored = settings["corruptions"].get("storage") == "jpeg85"
  quantized = settings["attacks"]["quantize"]
  of_attacks = (kinds.ATTACK, kinds.TARGETED, kinds.TRANSFER, *kinds.BISECTED)
  attacks = dict.fromkeys(of_attacks, quantized)
  return {kinds.CORRUPTION: stored, kinds.TYPOGRAPHY: True, **attacks}.get(kind, False)


def _preprocessing(cell: Row) -> tuple:
  return tuple(cell["preprocess"].items())


def _fitting(everything: Iterable[Album], room: int) -> Iterable[Album]:
  """The first pictures of all albums, then the second ones, as far as there is room."""
  kept = [0] * len(everything := list(everything))
  seats = collections.Counter(dict.fromkeys(SUITES, _MOST))
  for number in range(max((len(album.pictures) for album in everything), default=0)):
    for index, album in enumerate(everything):
      if kept[index] != number or number == len(album.pictures) or not seats[album.suite]:
        continue
      if (size := album.pictures[number].size) <= room:
        room, kept[index] = room - size, number + 1
        seats[album.suite] -= 1
  for count, album in zip(kept, everything, strict=True):
    if count:
      left = len(album.pictures) - count
      yield album._replace(pictures=album.pictures[:count], left_out=left)
