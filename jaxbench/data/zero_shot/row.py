"""What is known of a set of the zero-shot papers, and how it is opened in each of its forms."""

import dataclasses
import pathlib
from collections.abc import Callable
from typing import NamedTuple

from jaxbench import errors
from jaxbench.data.annotated import Annotated
from jaxbench.data.label_space import MEAN_AVERAGE_PRECISION, TOP_1, LabelSpace
from jaxbench.data.packed import packed
from jaxbench.data.published import Published
from jaxbench.data.source import Source
from jaxbench.data.tfds import tfds
from jaxbench.data.zero_shot import hub, spaces

Reader = Callable[[pathlib.Path, LabelSpace], Source]


class Tfds(NamedTuple):
  """How TFDS has a set."""

  place: str
  split: str = "test"
  id: str = "file_name"
  label: str = "label"


@dataclasses.dataclass(frozen=True)
class Row:
  """One set."""

  name: str
  examples: int
  read: Reader | None = None  # Of its archive, unpacked; None: it is not read in that form.
  places: tuple[str, ...] = ()  # Of that.
  origin: str = ""  # Where to get that; by default the hub's shards.
  wds: str = ""  # Of the hub's shards, the name after "wds_".
  shards: Reader = hub.shards  # Of those.
  tfds: Tfds | None = None
  # Keys in the tables, by default the name; classes None: its files say what they are.
  classes: str | None = ""
  templates: str = ""
  metric: str = TOP_1
  unread: tuple[str, ...] = ()

  @property
  def space(self) -> LabelSpace:
    """Its classes and prompts; without classes where only its files say them."""
    if self.classes is None:
      return LabelSpace(())
    found = spaces.space(self.classes or self.name, self.templates or self.name)
    scored = self.metric == MEAN_AVERAGE_PRECISION
    return dataclasses.replace(found, metric=self.metric, scored=scored)

  def published(self) -> Published:
    """The row of the catalogue."""
    places = (
      *((self.tfds.place,) if self.tfds else ()),  # First: it may lie in a folder of that name.
      *self.places,
      *(hub.places(self.wds) if self.wds else ()),
    )
    origin = self.origin or hub.origin(self.wds)
    return Published(places, self._open, self.examples, origin, self.unread, whole=True)

  def _open(self, path: pathlib.Path) -> Source:
    space = self.space
    if (path / "dataset_info.json").is_file() and self.tfds:
      _, split, name, label = self.tfds
      source = tfds(path, space, split=split, label=label, file_name=name)
      return Annotated(source, space)
    if path.is_dir() and any(path.glob("*.tar")):
      return self.shards(path, space)
    if self.read is None:
      if (found := packed(path, space)) is None:
        raise errors.InputError(f"{path} holds neither shards nor what TFDS has prepared")
      return Annotated(found, space)
    try:
      return self.read(path, space)
    except errors.InputError:
      raise
    except (LookupError, ValueError, TypeError, AttributeError, OSError) as error:  # Of its lists.
      raise errors.InputError(
        f"{path} is not as {self.name} is published: {errors.reason(error)}"
      ) from error
