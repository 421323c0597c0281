"""The gallery of a report: which pictures it shows, and for how many there is room."""

import itertools
from collections.abc import Iterable
from typing import Any, NamedTuple

import pyarrow as pa

from jaxbench.report import gallery
from jaxbench.report.sections import ByCell, Classifier, Row, Table, Text

_ROOM = 1_200_000  # Characters of pictures in a page.


class Shown(NamedTuple):
  """Cells whose pictures are shown under one heading."""

  perturbation: str
  lines: list[tuple[Classifier, str]]  # With the cell's id.
  kind: str  # "corruption", "attack", "text" or "".


class Album(NamedTuple):
  """Pictures under one perturbation that some classifiers were given."""

  perturbation: str
  classifiers: list[Classifier]
  pictures: list[gallery.Picture]
  exact: bool  # The pictures are what was judged, not rounded to 8 bits.
  left_out: int = 0  # Pictures for which there was no room.


def choose(
  tables: list[Table],
  texts: list[Text],
  transferred: list[Row],
  searched: list[Row],
  moving: list[Row],
  classifiers: list[Classifier],
) -> list[Shown]:
  """Each perturbation at its middle setting, for each model with its first prompt set."""
  shown: list[Shown] = []
  for table in tables:
    if table.perturbation == "clean":
      continue
    setting = table.settings[table.middle]
    name = f"{table.perturbation}, {table.axis} {setting}" if setting else table.perturbation
    middle = [(one, found[table.middle]) for one, found in table.lines]
    kind = "" if not setting else "attack" if table.axis == "epsilon" else "corruption"
    shown.append(Shown(name, [(one, cell["cell"]) for one, cell in middle if cell], kind))
  shown += [
    Shown(text.overlay, [(one, cell) for one, cell, _ in text.lines], "text") for text in texts
  ]
  settings = list(dict.fromkeys(cell["setting"] for cell in transferred))
  setting = settings[len(settings) // 2] if settings else ""
  middle_ones = [cell for cell in transferred if cell["setting"] == setting]
  for cells, kind, note in (
    (middle_ones, "attack", f", epsilon {setting}"),
    (searched, "attack", ""),
    (moving, "", ", last frame"),
  ):
    for perturbation, group in itertools.groupby(cells, key=lambda cell: cell["perturbation"]):
      ids = {(cell["model"], cell["prompts"]): cell["id"] for cell in group}
      lines = [(one, ids[key]) for one in classifiers if (key := (one.model, one.prompts)) in ids]
      shown.append(Shown(perturbation + note, lines, kind))
  return [each._replace(lines=_first_prompts(each.lines)) for each in shown]


def _first_prompts(lines: list[tuple[Classifier, str]]) -> list[tuple[Classifier, str]]:
  first = {one.model: (one, cell) for one, cell in reversed(lines)}
  return list(reversed(first.values()))


def albums(
  shown: list[Shown],
  cells: list[Row],
  by_cell: ByCell,
  class_names: list[str],
  asked: dict[str, Any],
) -> list[Album]:
  """What fits; images that several classifiers were given are there once.

  Args:
    shown: of `choose`.
    cells: of the data set.
    by_cell: their rows.
    class_names: of the data set.
    asked: the config.
  """
  known = {cell["id"]: cell for cell in cells if cell["id"] in by_cell}
  clean: dict[Any, pa.Table] = {}
  for name, cell in known.items():
    if cell["perturbation"] == "clean":
      clean[cell["model"], cell["prompts"]] = clean[_preprocessing(cell)] = by_cell[name]
  exact = {
    "corruption": asked["corruptions"].get("storage") == "jpeg85",
    "attack": asked["attacks"]["quantize"],
    "text": True,
  }
  found: dict[Any, Album] = {}
  for each in shown:
    for one, name in each.lines:
      if name not in known:
        continue
      # Transferred images are as the surrogate has them; a target's own may look otherwise.
      surrogate = known[name].get("surrogate")
      plain = clean.get(_preprocessing(known[name]) if surrogate else (one.model, one.prompts))
      pictures = plain and gallery.pictures(by_cell[name], plain, class_names, one.name)
      if not pictures:
        continue
      key = (each.perturbation, *(picture.perturbed for picture in pictures))
      album = found.get(key, Album(each.perturbation, [], pictures, exact.get(each.kind, False)))
      if album.classifiers:
        merged = map(gallery.merge, album.pictures, pictures)
        album = album._replace(pictures=list(merged))
      found[key] = album._replace(classifiers=[*album.classifiers, one])
  return list(_fitting(found.values(), _ROOM))


def _preprocessing(cell: Row) -> tuple:
  return tuple(cell["preprocess"].items())


def _fitting(everything: Iterable[Album], room: int) -> Iterable[Album]:
  """The first pictures of all albums, then the second ones, as far as there is room."""
  kept = [0] * len(everything := list(everything))
  for number in range(max((len(album.pictures) for album in everything), default=0)):
    for index, album in enumerate(everything):
      if number < len(album.pictures) and (size := album.pictures[number].size) <= room:
        room -= size
        kept[index] += kept[index] == number
  for count, album in zip(kept, everything, strict=True):
    if count:
      left = len(album.pictures) - count
      yield album._replace(pictures=album.pictures[:count], left_out=left)
