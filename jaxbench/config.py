"""The settings: one dataclass per concern, every default in one place.

Tuples only, and not frozen: that is what `--config.key=value` can override.
"""

import dataclasses
import fractions
import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any, NamedTuple

from jaxbench import errors

AUTO = 0  # As many slots as fit the memory of a device; "auto" on the command line.
Slots = Annotated[int, "or auto"]


@dataclasses.dataclass
class Corruptions:
  """Common corruptions (ImageNet-C)."""

  names: tuple[str, ...] = ()  # From `corruptions.NAMES` or `EXTRA_NAMES`.
  severities: tuple[int, ...] = (1, 2, 3, 4, 5)
  # Whose constants, from `corruptions.VARIANTS`: "imagenet" for 224 pixels, "cifar" for 32.
  variant: str = "imagenet"
  storage: str = "none"  # "jpeg85" judges images as ImageNet-C's files hold them.
  im_round: str = "nearest"  # Or "floor": how ImageMagick rounds in motion blur and snow.
  # Folder of frost's photographs; by default those of an installed imagecorruptions.
  textures: str = ""
  sequences: tuple[str, ...] = ()  # Of frames: from `corruptions.SEQUENCES`, `EXTRA_SEQUENCES`.
  difficulty: int = 1  # To 3: stronger noise; of the others, frames compared so far apart.
  # What flips are divided by: one of `models`, or a file for `metrics.read_flip_reference`.
  flip_reference: str = ""
  # What errors are divided by, if not by AlexNet's at ImageNet-C: one of `models`.
  error_reference: str = ""


@dataclasses.dataclass
class Stylization:
  """Images in the style of paintings (Stylized-ImageNet), where both are given."""

  weights: str = ""  # Folder of AdaIN's published files, see `stylize.load`.
  paintings: str = ""  # Folder of images.


@dataclasses.dataclass
class Attacks:
  """Adversarial attacks: at every epsilon, or looking for the smallest one of each example."""

  names: tuple[str, ...] = ()  # Specs, run at each of `epsilons`: "pgd(steps=20, norm='l2')".
  smallest: tuple[str, ...] = ()  # Specs, bisected up to the largest of `epsilons`.
  transfer: tuple[str, ...] = ()  # Specs, made on surrogates at each of `epsilons`.
  smallest_transfer: tuple[str, ...] = ()  # The same, bisected for each target.
  # Models that images for transfer are made on; "a+b" is an ensemble, "a[simple]" knows that prompt
  # set instead of the first of `prompts`, "a[embedding]" only the image encoder. Empty: `models`.
  surrogates: tuple[str, ...] = ()
  epsilons: tuple[float, ...] = (4 / 255,)  # In [0, 1] pixel units.
  tolerance: float = 1 / 2550  # Of a bisection; in pixel units.
  quantize: bool = False  # Attack images of 8 bits: what is classified is rounded to them.
  search_dtype: str = "float32"  # "bfloat16" searches in it; verdicts are always in float32.


@dataclasses.dataclass
class Config:
  """One evaluation: models x data sets x prompt sets x (clean, corruptions, attacks)."""

  models: tuple[str, ...] = ()  # Names or paths, as `models.load` takes them.
  download: bool = False  # Fetch models that are named but not on this disk.
  data: tuple[str, ...] = ()  # Names or paths, as `data.load` takes them.
  data_root: str = ""  # Folder of published data sets; by default that of JAXBENCH_DATA.
  # Leave out data sets and models that are not on this disk, and list them; else they stop the run.
  available: bool = False
  # Those of `data` that are corrupted, written on and attacked; by default all of them.
  perturbed: tuple[str, ...] = ()
  # From `models.PROMPTS`, or files for `models.templates`; supervised models use none.
  prompts: tuple[str, ...] = ("simple",)
  corruptions: Corruptions = dataclasses.field(default_factory=Corruptions)
  stylization: Stylization = dataclasses.field(default_factory=Stylization)
  attacks: Attacks = dataclasses.field(default_factory=Attacks)
  typography: tuple[str, ...] = ()  # Words on images: specs from `typography.OVERLAYS`.
  # Perturb sets of small images (CIFAR, STL-10) at their own size; models resize them inside.
  native: bool = False
  seed: int = 0
  subset: str = ""  # Evaluate a part of each data set: a spec from `data.SUBSETS`.
  limit: int = 0  # Evaluate a random sample of so many examples per data set; 0 is all.
  slots: Slots = 64  # Examples per device and batch; AUTO is as many as fit its memory.
  unreadable: float = 0.01  # A data set of which more images cannot be read stops the run.
  block: int = 1024  # Examples held in memory at a time; finished blocks survive a crash.
  gallery: int = 4  # Examples whose pictures are kept, per cell.
  published: tuple[str, ...] = ()  # From `published.TABLES`: shown in the report beside our own.


@dataclasses.dataclass
class Training:
  """Trains the three embedded models on the training scans of scikit-learn's digits."""

  seed: int = 0
  batch_size: int = 128
  steps: int = 1500  # Of CLIP, and of the ResNet.
  learning_rate: float = 1e-3  # Peak, cosine to zero.
  robust_steps: int = 600  # Of the robust twin, from CLIP's weights.
  robust_learning_rate: float = 5e-4
  robust_epsilon: float = 12 / 255  # Reached linearly over the first half.
  weight_decay: float = 0.05


@dataclasses.dataclass
class PromptSearch:
  """Searches tokens that, before a class name, make a CLIP classify better (CLIP-Auto)."""

  model: str = "digits-clip"  # A CLIP, as `models.load` takes it.
  download: bool = False  # Fetch it if it is not on this disk.
  data: str = "digits-train"  # What to search on, as `data.load` takes it.
  held_out: str = "digits"  # What the prompts are then evaluated on; "" is nothing.
  data_root: str = ""  # Folder of published data sets; by default that of JAXBENCH_DATA.
  subset: str = ""  # Of `data`, from `data.SUBSETS`: "balanced(each=16)" is 16-shot.
  limit: int = 0  # A random sample of so many of `data`; 0 is all.
  start: str = "a photo of a"  # Its tokens are the first prompt, and as many are searched.
  candidates: int = 40  # Scored in an iteration, which replaces one token.
  iterations: int = 100  # At most; the search ends where none of the candidates is better.
  ensemble: int = 1  # Of the best prompts, so many are written.
  # What else is done to the images, once, for prompts that are robust to it; clean ones stay. The
  # same is done to held-out ones, but there attacks are on the classifier that is evaluated.
  corruptions: tuple[str, ...] = ()  # From `corruptions.NAMES`, each at each of `severities`.
  severities: tuple[int, ...] = (3,)
  attacks: tuple[str, ...] = ()  # Specs, on the classifier of `start`, at each of `epsilons`.
  epsilons: tuple[float, ...] = (4 / 255,)  # In [0, 1] pixel units.
  soft_steps: int = 100  # Of a soft prompt that is learnt from the same start; 0 learns none.
  soft_learning_rate: float = 1e-3
  prompts: tuple[str, ...] = ("simple",)  # Sets to compare with on `held_out`.
  seed: int = 0  # Of corruptions and attacks; the search itself draws nothing.
  slots: int = 64  # Images per device and batch.


def checked(settings: Config) -> Config:
  """A copy of `settings` with every list in its proper type.

  The command line makes strings of `4/255` and of `a,b`; here they become what was meant.

  Raises:
    InputError: a value is wrong; the message names the field.
  """
  settings = dataclasses.replace(
    settings,
    models=_names("models", settings.models),
    data=_names("data", settings.data),
    perturbed=_names("perturbed", settings.perturbed),
    prompts=_names("prompts", settings.prompts),
    typography=_names("typography", settings.typography),
    published=_names("published", settings.published),
    corruptions=dataclasses.replace(
      settings.corruptions,
      names=_names("corruptions.names", settings.corruptions.names),
      severities=_numbers("corruptions.severities", settings.corruptions.severities, int),
      sequences=_names("corruptions.sequences", settings.corruptions.sequences),
    ),
    attacks=dataclasses.replace(
      settings.attacks,
      names=_names("attacks.names", settings.attacks.names),
      smallest=_names("attacks.smallest", settings.attacks.smallest),
      transfer=_names("attacks.transfer", settings.attacks.transfer),
      smallest_transfer=_names("attacks.smallest_transfer", settings.attacks.smallest_transfer),
      surrogates=_names("attacks.surrogates", settings.attacks.surrogates),
      epsilons=_numbers("attacks.epsilons", settings.attacks.epsilons, float),
    ),
  )
  for field in ("models", "data"):
    if not getattr(settings, field):
      raise errors.InputError(f"--config.{field} is empty: name at least one")
  for field, least in {"seed": 0, "limit": 0, "slots": AUTO, "block": 1, "gallery": 0}.items():
    _check_whole(field, getattr(settings, field), least)
  if not (isinstance(settings.unreadable, float | int) and 0 <= settings.unreadable <= 1):
    raise errors.InputError(f"--config.unreadable={settings.unreadable!r} is a share, 0 to 1")
  if bool(settings.stylization.weights) != bool(settings.stylization.paintings):
    raise errors.InputError("--config.stylization needs both weights and paintings")
  if settings.corruptions.names and not settings.corruptions.severities:
    raise errors.InputError("--config.corruptions.severities is empty: name at least one of 1 to 5")
  for field in ("native", "available"):
    if not isinstance(value := getattr(settings, field), bool):
      raise errors.InputError(f"--config.{field}={value!r} must be True or False")
  for name in settings.perturbed:
    if name not in settings.data:
      raise errors.unknown("data set in --config.perturbed", name, settings.data)
  if not all(1 <= severity <= 5 for severity in settings.corruptions.severities):
    raise errors.InputError("--config.corruptions.severities go from 1 to 5")
  if settings.corruptions.difficulty not in (1, 2, 3):
    raise errors.InputError("--config.corruptions.difficulty is 1, 2 or 3")
  if settings.attacks.search_dtype not in (known := ("float32", "bfloat16")):
    raise errors.unknown("--config.attacks.search_dtype", settings.attacks.search_dtype, known)
  if not all(epsilon >= 0 for epsilon in settings.attacks.epsilons):
    raise errors.InputError("--config.attacks.epsilons: a radius is not negative")
  asked = settings.attacks
  some = asked.names or asked.smallest or asked.transfer or asked.smallest_transfer
  if not some and max(asked.epsilons, default=0) > 1:
    raise not_in_pixels()
  if not settings.attacks.tolerance > 0:
    raise errors.InputError("--config.attacks.tolerance must be > 0, in [0, 1] pixel units")
  if some and not asked.epsilons:
    raise errors.InputError("--config.attacks.epsilons is empty: name at least one")
  return settings


def checked_search(settings: PromptSearch) -> PromptSearch:
  """As `checked`, of a search.

  Raises:
    InputError: a value is wrong; the message names the field.
  """
  settings = dataclasses.replace(
    settings,
    corruptions=_names("corruptions", settings.corruptions),
    severities=_numbers("severities", settings.severities, int),
    attacks=_names("attacks", settings.attacks),
    epsilons=_numbers("epsilons", settings.epsilons, float),
    prompts=_names("prompts", settings.prompts),
  )
  least = {"limit": 0, "candidates": 1, "iterations": 0, "ensemble": 1, "soft_steps": 0, "seed": 0}
  for field, smallest in (least | {"slots": 1}).items():
    _check_whole(field, getattr(settings, field), smallest)
  if not all(1 <= severity <= 5 for severity in settings.severities):
    raise errors.InputError("--config.severities go from 1 to 5")
  if not all(0 <= epsilon <= 1 for epsilon in settings.epsilons):
    raise errors.InputError("--config.epsilons are in [0, 1] pixel units: write 4/255")
  return settings


class Member(NamedTuple):
  """A model that images for transfer are made on, alone or with others."""

  model: str
  prompts: str | None  # None: those it is first evaluated with. EMBEDDING: none at all.


EMBEDDING = "embedding"  # In place of a prompt set: the image encoder alone.
_KNOWN_PROMPTS = re.compile(r"(?P<model>.+)\[(?P<prompts>[^\[\]]+)\]")


def surrogates(settings: Config) -> dict[str, tuple[Member, ...]]:
  """The models of each surrogate of a checked config, by the surrogate's name."""
  if not (settings.attacks.transfer or settings.attacks.smallest_transfer):
    return {}
  return {
    name: (Member(name, None),)
    if name in settings.models
    else tuple(_member(part.strip()) for part in name.split("+"))
    for name in settings.attacks.surrogates or settings.models
  }


def prompt_sets(settings: Config) -> tuple[str, ...]:
  """Those of the evaluation, then those that only surrogates have."""
  members = itertools.chain(*surrogates(settings).values())
  known = [member.prompts for member in members if member.prompts not in (None, EMBEDDING)]
  return tuple(dict.fromkeys([*settings.prompts, *known]))


def _member(text: str) -> Member:
  found = _KNOWN_PROMPTS.fullmatch(text)
  return Member(found["model"].strip(), found["prompts"].strip()) if found else Member(text, None)


def _check_whole(field: str, value: Any, least: int) -> None:
  if not isinstance(value, int) or value < least:
    raise errors.InputError(f"--config.{field}={value!r} must be a whole number >= {least}")


def _names(field: str, value: Any) -> tuple[str, ...]:
  """Names and specs; commas outside brackets separate them."""
  items = (value,) if isinstance(value, str) else tuple(value)
  if not all(isinstance(item, str) for item in items):
    raise errors.InputError(f"--config.{field}: {value!r} is not a list of names; write a,b")
  parts = [part.strip() for item in items for part in _split(item) if part.strip()]
  if len(set(parts)) < len(parts):
    raise errors.InputError(f"--config.{field}: {value!r} names something twice")
  return tuple(parts)


def _split(text: str) -> Iterator[str]:
  start = depth = 0
  for position, character in enumerate(text):
    depth += (character in "([") - (character in ")]")
    if character == "," and depth == 0:
      yield text[start:position]
      start = position + 1
  yield text[start:]


def not_in_pixels() -> errors.InputError:
  """The error for an epsilon of linf that is beyond all pixels; other norms have larger ones."""
  return errors.InputError(
    "--config.attacks.epsilons are in [0, 1] pixel units: write 4/255 for four grey levels"
  )


def _numbers(field: str, value: Any, kind: Callable[[Any], Any]) -> tuple[Any, ...]:
  """Numbers, also as text: "4/255", "(1/255, 2/255)"."""
  items: Sequence[Any] = value if isinstance(value, (tuple, list)) else (value,)
  numbers = []
  for item in items:
    parts = re.split(r"[,\s]+", item.strip("()[], ")) if isinstance(item, str) else [item]
    for part in parts:
      try:
        exact = fractions.Fraction(part)
      except (ValueError, TypeError, ZeroDivisionError, OverflowError) as error:
        raise errors.InputError(
          f"--config.{field}: {part!r} is not a number; write 4/255,8/255 or (0.1,0.2)"
        ) from error
      if kind is int and exact.denominator != 1:
        raise errors.InputError(f"--config.{field}: {part!r} is not a whole number")
      numbers.append(kind(exact))
  if len(set(numbers)) < len(numbers):
    raise errors.InputError(f"--config.{field}: {value!r} names a number twice")
  return tuple(numbers)


def fields(kind: Any, prefix: str = "") -> list[str]:
  """Dotted names of all settings of a config class."""
  names = []
  for field in dataclasses.fields(kind):
    nested = dataclasses.is_dataclass(field.type)
    names += fields(field.type, f"{prefix}{field.name}.") if nested else [prefix + field.name]
  return names
