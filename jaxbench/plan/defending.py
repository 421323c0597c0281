"""Models within test-time defences, as a config names them: "digits-clip|ttc(steps=2)"."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from jaxbench import defences, model_names, spec
from jaxbench.corruptions import jpeg


class Named(NamedTuple):
  """What the name of a model says."""

  base: str  # As `models.load` takes it.
  defences: tuple[spec.Spec, ...]  # The innermost first.

  @property
  def told(self) -> list[str]:
    """The defences in full."""
    return [defence.full for defence in self.defences]


def named(model: str) -> Named:
  """The model and the defences that a name says.

  Raises:
    InputError: a defence is unknown, or an argument of it.
  """
  base, texts = model_names.split_defences(model)
  return Named(base, tuple(defences.resolve(texts)))


def base(model: str) -> str:
  """The model alone, as `models.load` takes it."""
  return model_names.split_defences(model)[0]


def defended(
  classifier: Any,
  wanted: Sequence[spec.Spec],
  blank: Callable[[], Any],
  prompts: Callable[[], defences.Prompts],
) -> defences.Defence:
  """A classifier within one or more defences.

  Args:
    classifier: a pytree callable.
    wanted: the innermost first.
    blank: embeds the prompts without a name.
    prompts: reads contexts before the class names.

  Raises:
    InputError: a value is out of range, or a defence needs features that the classifier lacks.
  """
  return defences.defend(classifier, wanted, defences.Supplies(blank, jpeg.round_trip, prompts))


def outlined(
  wanted: Sequence[spec.Spec],
  *,
  supervised: bool,
  blank: Callable[[], Any] = lambda: None,
  prompts: Callable[[], Any] = lambda: None,
) -> defences.Defence:
  """As `defended`, around what stands for a classifier: checked, and good to be asked its cost."""
  if supervised:  # It has no prompts; what needs features says so.
    return defended(object(), wanted, _nothing, _nothing)
  return defended(_Encoder(), wanted, blank, prompts)


def _nothing() -> Any:
  return None


class _Encoder:
  """Has what a zero-shot classifier has."""

  text = None

  def features(self, images: Any) -> Any:
    """See `models.ZeroShot`; nobody asks."""
    raise NotImplementedError

  classify = features
