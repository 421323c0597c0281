"""Whether a number of a run was measured as a published one: what differs, in words."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from jaxbench.metrics import published
from jaxbench.metrics.published import Protocol
from jaxbench.report.classifiers import Row


class Beside(NamedTuple):
  """A published number below one of ours."""

  value: float  # Share.
  source: str
  differs: tuple[str, ...]  # What is not as it was there, in words; then nothing is to be marked.

  @property
  def note(self) -> str:
    """All that differs; "" if nothing does."""
    return "; ".join(self.differs)

  def mark(self, low: float, high: float) -> str:
    """Whether it lies outside our interval or inside; "" under another protocol."""
    if self.differs:
      return ""
    return "≈" if low <= self.value <= high else "≠"


def beside(reference: published.Reference, differs: tuple[str, ...]) -> Beside:
  """A reference and what differs from its protocol."""
  return Beside(reference.value, reference.source, differs)


def notes(numbers: Iterable[Beside | None]) -> list[str]:
  """What differs from the protocols of some numbers, once each, to be numbered from 1."""
  return list(dict.fromkeys(each.note for each in numbers if each and each.differs))


def differences(protocol: Protocol, run: Row, cell: Row, examples: int) -> tuple[str, ...]:
  """What of a cell is not as its protocol has it, in words.

  Args:
    protocol: of a published number.
    run: run.json.
    cell: one of its cells.
    examples: that count in our number; a run that is not finished has fewer than its cell.
  """
  return (
    *_prompts(protocol, run, cell),
    *_pixels(protocol, run, cell),
    *sample(protocol, run, cell["data"], examples),
    *_attack(protocol, run, cell),
    *protocol.never,
  )


def of_corruptions(
  protocol: Protocol, run: Row, cell: Row, examples: int, on_disk: bool
) -> tuple[str, ...]:
  """What of all corrupted images together is not as their protocol has it, in words.

  Args:
    protocol: of a number on ImageNet-C's files.
    run: run.json.
    cell: a corrupted one.
    examples: images that all its corruptions have.
    on_disk: ours are those files too, not corrupted anew.
  """
  if on_disk:
    return differences(protocol, run, cell, examples)
  anew = "images: corrupted anew instead of the published files"
  return (anew, *sample(protocol, run, protocol.data, examples))


def sample(protocol: Protocol, run: Row, data: str, examples: int) -> Iterator[str]:
  """Which examples, of what data set."""
  whole = run["identity"]["config"]["subset"]  # Of runs of before, which had one for all.
  subset = run.get("data", {}).get(data, {}).get("subset", whole).removesuffix("()")
  theirs = {"": "all", "robustbench": "RobustBench's"}.get(protocol.subset, protocol.subset)
  count = "" if protocol.examples is None else f" {protocol.examples:,}"
  if data != protocol.data or subset != protocol.subset:
    which = subset or (data if data != protocol.data else "all")
    yield f"examples: {examples:,} of {which} instead of {theirs}{count}"
  elif protocol.examples not in (None, examples):
    yield f"examples: {examples:,} instead of {theirs}{count}"


def _prompts(protocol: Protocol, run: Row, cell: Row) -> Iterator[str]:
  if protocol.prompts is None:
    return
  if cell["prompts"] is None:
    yield f"prompts: none instead of {protocol.prompts.name}"
    return
  ours = run["identity"]["prompts"][cell["prompts"]]
  if isinstance(ours, dict) and isinstance(own := ours.get(cell["data"]), dict):
    if protocol.prompts.source and own["source"] == protocol.prompts.source:
      return
    ours = own["templates"]
  if not isinstance(ours, list) or sorted(map(str, ours)) != sorted(protocol.prompts.templates):
    yield f"prompts: {cell['prompts']} instead of {protocol.prompts.name}"


def _pixels(protocol: Protocol, run: Row, cell: Row) -> Iterator[str]:
  theirs, ours = protocol.pixels, cell["preprocess"]
  usual = run["identity"]["models"][cell["model"]]["config"]["preprocess"]["size"]
  size = (theirs and theirs.size) or usual
  if bool(cell["native"]) != bool(theirs and theirs.native):
    at = "the images' own", "the model's"
    first, second = at if cell["native"] else at[::-1]
    yield f"images: at {first} {ours['size']} pixels instead of {second} {size}"
    return
  if theirs is None:
    return
  resized = ours | {"resize": ours["resize"] or ours["size"]}
  resized.pop("margin", None)  # No paper tells of that pixel.
  if not theirs.interpolation:
    if (resized["size"], resized["resize"]) != (size, size):
      yield f"images: {_in_words(resized)} instead of as stored, {size}"
    return
  wanted = {"size": size, "resize": theirs.resize or size, "squash": False}
  wanted |= {"interpolation": theirs.interpolation}
  if not theirs.native and resized != wanted:
    yield f"images: {_in_words(resized)} instead of {_in_words(wanted)}"


def _in_words(pixels: Row) -> str:
  side = "both sides" if pixels["squash"] else "short side"
  resize, size, how = (pixels[key] for key in ("resize", "size", "interpolation"))
  return f"{side} {resize} ({how}), of which {size}" if size != resize else f"{side} {size} ({how})"


def _attack(protocol: Protocol, run: Row, cell: Row) -> Iterator[str]:
  if protocol.attack is None:
    return
  if not same_attack(cell, protocol.attack):
    yield f"attack: {cell['attack']} instead of {protocol.attack}"
  settings = run["identity"]["config"]["attacks"]
  if settings["quantize"]:
    yield "attack: on images of 8 bits"
  if settings["search_dtype"] != "float32":
    yield f"attack: searched in {settings['search_dtype']}"


def same_attack(cell: Row, text: str) -> bool:
  """Whether the attack of a cell with one epsilon is that of a spec, however it is written."""
  return published.same_attack(cell["attack"], cell["stream"], text)
