"""What a plan, an evaluation and a report ask of every kind of perturbation."""

import dataclasses
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np

from jaxbench import attacks, config, data, devices
from jaxbench.attacks.engine import batching
from jaxbench.blocks import Block
from jaxbench.plan.classifiers import Classifier, Surrogate

Columns = dict[str, Any]  # Of `records.SCHEMA`, one entry per example.


@dataclasses.dataclass(frozen=True, eq=False)
class Target:
  """A classifier that is to answer a block of examples, and what it says of them clean."""

  classifier: Classifier
  data: str  # Name of the data set.
  size: int  # Pixels of a side that it is shown: the centre of a block's images, or all of them.
  clean: Columns  # [N]
  lacking: np.ndarray  # [N] bool: which examples have no rows yet.

  @property
  def member(self) -> config.Member:
    """What an evaluator knows the classifier by."""
    return config.Member(self.classifier.model, self.classifier.prompts)

  def answers(self, rows: np.ndarray) -> Columns:
    """What it predicts of some clean examples; of a randomised one also how often that is right."""
    return {name: self.clean[name][rows] for name in ("prediction", "right") if name in self.clean}

  def found(self, rows: np.ndarray) -> Columns:
    """All that is known of some clean examples."""
    return {name: [column[row] for row in rows] for name, column in self.clean.items()}

  def ranks(self, rows: np.ndarray) -> Columns:
    """Where captions of some clean images stand; nothing of sets without captions."""
    if "tied" not in self.clean:
      return {}
    names = [name for name in ("rank", "tied", "margin", "scores") if name in self.clean]
    return {name: [self.clean[name][row] for row in rows] for name in names}


# Of a block of images, batches of what is made of them, on the devices.
Made = Callable[[Block], Iterator[devices.Batch]]
Judged = tuple[Target, np.ndarray, Columns]  # Rows of the block, and their columns.


class Evaluator(Protocol):
  """What a perturbation may ask of whoever evaluates it; see `evaluate.evaluator`."""

  settings: config.Config
  tally: batching.Tally
  aimed: bool  # Whether attacks have a goal, and labels are cases.

  @property
  def slots(self) -> int:
    """Examples that each device works on at once."""

  def classifier(self, member: config.Member, /) -> devices.Replicated:
    """A classifier on the devices."""

  def searchers(self, member: config.Member, /) -> tuple[devices.Replicated, ...]:
    """What attacks on it search, the cheapest first."""

  def surrogate(self, members: tuple[config.Member, ...], /) -> devices.Replicated:
    """What images for transfer are made on."""

  def shape(self, block: Block) -> tuple[int, int]:
    """Height and width of the images that are perturbed for a block."""

  def predict(
    self,
    program: Callable[..., Any],
    inputs: Any,
    members: Sequence[config.Member],
    block: Block,
    name: str = ...,
  ) -> list[Columns]:
    """What each classifier says of the images that `program`, of that name, makes."""

  def cases(self, block: Block) -> np.ndarray:
    """int32 [N]: what programs know examples by."""

  def ranks(
    self, member: config.Member, images: Callable[[], np.ndarray], labels: np.ndarray
  ) -> Columns:
    """Where captions of images that were judged stand; nothing of sets without captions.

    `labels` are some of `cases`.
    """

  def rewritten(
    self, member: config.Member, wanted: Any, block: Block, clean: Columns, /
  ) -> Columns:
    """What a model says of texts that are attacked.

    Args:
      member: the model.
      wanted: the attack, a `TextAttack`.
      block: of examples with texts.
      clean: what it says of them as they are.
    """

  def among_texts(self, member: config.Member, wanted: Any, block: Block, /) -> Columns:
    """Where the captions of images stand when all captions are attacked; see `rewritten`."""

  def among_images(
    self, made: Made, members: Sequence[config.Member], block: Block, name: str, /
  ) -> list[Columns]:
    """Where the images of captions stand when all images are attacked.

    Args:
      made: attacks a block of images.
      members: the models.
      block: of captions.
      name: of what is done to the images, with all that decides it.
    """

  def jointly(
    self, wanted: Any, members: Sequence[config.Member], block: Block, /
  ) -> list[Columns]:
    """Where images and captions stand when both sides are attacked; see `Joint`.

    Args:
      wanted: the attack, a `Joint`.
      members: the models.
      block: of images, or of captions.
    """

  def check(
    self,
    names: tuple[str, str],
    cascade: attacks.Cascade,
    classifier: devices.Replicated,
    block: Block,
  ) -> None:
    """Looks once at a classifier and at an attack, of these names, for reasons to doubt."""


class Passes(NamedTuple):
  """The most passes of one model on one example."""

  model: str
  forwards: int
  backwards: int
  reads: bool = False  # Whether they are of texts.
  images: Hashable = None  # Of passes that make images for several cells: which images.


class Search(NamedTuple):
  """An attack that goes through the slots, where a cell spends its time."""

  models: Hashable  # Which ones it is made on.
  searcher: devices.Replicated  # Their classifier.
  attack: attacks.Attack
  tolerance: float | None  # Of a bisection in the slots.


@dataclasses.dataclass(frozen=True, kw_only=True)
class Perturbation:
  """What is done to the images of a cell. A kind is a subclass; it carries what it needs built."""

  kind: ClassVar[str]  # Its row in `KINDS`, and in `run.json`.
  field: ClassVar[str]  # Of a config, that asks for it; "" if it is always there.

  text: str  # As a person writes it, and records have it.
  stream: str  # In full, but for epsilon: what the randomness is drawn for.
  forwards: int = 1  # The most passes for one example.
  backwards: int = 0
  knowledge: str | None = None  # What the attacker knows of the model; None without an attacker.
  shares_images: bool = True  # Whether all classifiers are shown the same ones.
  moves: bool = False  # Whether the image does, so that more of it is needed than a model is given.
  one_label: bool = False  # Whether it needs one right answer to each image.
  named: bool = False  # Whether it writes names of classes, or aims at classes.
  classes: bool = False  # Whether it is judged by classes alone, which options are not.

  @property
  def setting(self) -> str:
    """Severity or epsilon as people write it, or ""."""
    return ""

  @property
  def columns(self) -> dict[str, Any]:
    """Severity, epsilon and tolerance, as records have them of all rows."""
    return {}

  @property
  def described(self) -> dict[str, Any]:
    """What `run.json` says of it that others have not, besides `columns`."""
    return {}

  @property
  def members(self) -> tuple[Classifier, ...]:
    """The models of its surrogate."""
    return ()

  def hashed(self, settings: config.Config) -> dict[str, Any]:
    """What can change a row besides `stream`, the classifier, the examples and the seed."""
    del settings
    return {}

  def check(self, source: data.Source, indices: Sequence[int]) -> None:
    """Raises InputError if it cannot be done to some examples of a set, as if made from them."""
    del source, indices

  def unfit(self, classifier: Classifier) -> str | None:
    """Why it cannot be done to a classifier, or None."""
    del classifier
    return None

  def seen_by(self, classifier: Classifier) -> Classifier | Surrogate:
    """Whose preprocessing its images have."""
    return classifier

  def passes(self, model: str) -> Iterator[Passes]:
    """Of the model that is evaluated and of all others."""
    yield Passes(model, self.forwards, self.backwards)

  def searches(self, evaluator: Evaluator, member: config.Member) -> list[Search]:
    """What goes through the slots; nothing if a classifier's own pass is all that takes memory."""
    del evaluator, member
    return []

  def evaluate(self, evaluator: Evaluator, targets: list[Target], block: Block) -> Iterator[Judged]:
    """Perturbs a block of examples and shows it to classifiers.

    Args:
      evaluator: has the classifiers.
      targets: that share the images, or one.
      block: of examples as they are.

    Yields:
      Rows that a target lacks, at the least, and their columns.

    Raises:
      InputError: it cannot be done to this block; what was not yielded becomes absent.
    """
    raise NotImplementedError


def everywhere(targets: list[Target], block: Block, columns: Sequence[Columns]) -> Iterator[Judged]:
  """Columns of all rows, target by target."""
  for target, its_columns in zip(targets, columns, strict=True):
    yield target, np.arange(len(block.ids)), its_columns
