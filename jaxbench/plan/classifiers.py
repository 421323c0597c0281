"""Which models can serve the classes of a data set: as targets, and as surrogates of transfer."""

import dataclasses
import functools
from collections.abc import Iterator
from typing import Any, NamedTuple

from jaxbench import config, data, errors, models
from jaxbench.plan import defending, pixels
from jaxbench.plan.prompting import prompting
from jaxbench.records import directions

_NO_PROMPTS = "it needs prompts, and --config.prompts names none for this data set"


class Absent(NamedTuple):
  """What was asked for and cannot be run."""

  what: str
  reason: str


@dataclasses.dataclass(frozen=True)
class Classifier:
  """A model with one set of prompts."""

  model: str
  prompts: str | None  # None for a supervised model; of config.ENCODERS for one of images.
  preprocess: models.Preprocess
  identity: dict[str, Any] = dataclasses.field(hash=False)  # What decides its logits.
  random: bool = False  # Whether it draws: a defence may.
  passes: tuple[int, int] | None = None  # Forward and backward ones of a defended prediction.

  @property
  def name(self) -> str:
    """That of the model."""
    return self.model


class Surrogate(NamedTuple):
  """What images for transfer are made on."""

  name: str  # "a+b" for an ensemble.
  members: tuple[Classifier, ...]
  start: tuple[Classifier, ...] = ()  # Of "a>b" a: the attack begins at images made on it.

  @property
  def preprocess(self) -> models.Preprocess:
    """Of the first member: the images live at its size, and the others resize them."""
    return self.members[0].preprocess

  @property
  def encodes(self) -> bool:
    """Whether it is an image encoder, which has embeddings in place of logits."""
    return self.members[0].prompts in config.ENCODERS

  @property
  def random(self) -> bool:
    """Whether it is called with keys; several together draw by seeds of their own."""
    return len(self.members) == 1 and self.members[0].random

  @property
  def knowledge(self) -> str:
    """What an attacker who has it knows."""
    return " and ".join(_knowledge(member) for member in (*self.start, *self.members))


def targets(
  settings: config.Config, source: data.Source, data_name: str, absent: list[Absent]
) -> Iterator[Classifier]:
  """Those that can serve the data set's classes; the others become absent."""
  for model in settings.models:
    base = defending.named(model).base
    description = models.describe(base, download=settings.download)
    sets = _prompt_sets(description, settings, data_name, source)
    if not sets:
      absent.append(Absent(f"{model} on {data_name}", _NO_PROMPTS))
    for prompts in sets:
      try:
        classifier = _classifier(model, description, prompts, source, settings)
      except errors.InputError as error:
        which = f"{model} on {data_name}" + (f", prompts {prompts}" if prompts else "")
        absent.append(Absent(which, str(error)))
      else:
        yield classifier


def surrogates(
  settings: config.Config, source: data.Source, data_name: str, absent: list[Absent]
) -> Iterator[Surrogate]:
  """Those whose models can all serve the data set's classes; the others become absent."""
  for name, members in config.surrogates(settings).items():
    found = []
    for model, prompts in members:
      base = defending.named(model).base
      description = models.describe(base, download=settings.download)
      try:
        if prompts in config.ENCODERS:
          alone = len(members) == 1
          found.append(_encoder(model, prompts, description, settings, alone=alone))
          continue
        if not (sets := _prompt_sets(description, settings, data_name, source)):
          raise errors.InputError(_NO_PROMPTS)
        if prompts is not None and sets[0] is None:
          raise errors.InputError("a supervised model has no prompts")
        found.append(_classifier(model, description, prompts or sets[0], source, settings))
      except errors.InputError as error:
        absent.append(Absent(f"transfer from {name} on {data_name}", f"{model}: {error}"))
        break
    else:
      count = len(config.start_of(name, settings))
      surrogate = Surrogate(name, tuple(found[count:]), tuple(found[:count]))
      if count and found[0].preprocess != surrogate.preprocess:
        reason = f"{found[0].model} takes images otherwise than {found[count].model}"
        absent.append(Absent(f"transfer from {name} on {data_name}", reason))
      else:
        yield surrogate


def _prompt_sets(
  description: models.Description, settings: config.Config, data_name: str, source: data.Source
) -> tuple[str | None, ...]:
  """Those that a model is evaluated with on a data set; of captions, how they are put to it."""
  if isinstance(source.label_space, data.Sentences):
    prefix = settings.retrieval.prefix
    return tuple(data.Wording(each, prefix).name for each in settings.retrieval.captions)
  return (None,) if description.config.supervised else config.prompts_on(settings, data_name)


def _classifier(
  model: str,
  description: models.Description,
  prompts: str | None,
  source: data.Source,
  settings: config.Config,
) -> Classifier:
  """Raises InputError if it cannot serve the data set's classes."""
  shape = description.config
  identity: dict[str, Any] = {
    "weights": description.sha256,
    "model": models.told(shape),
  }
  space = source.label_space
  if isinstance(source, data.Texts):
    _check_reader(source, description, defending.named(model))
  templates: Any = ()
  names: Any = ()
  if shape.supervised:
    groups = space.supervised_groups(shape.num_classes, shape.class_names)
  else:
    _, names, templates, groups = prompting(str(prompts), space)
    models.check_prompts(shape, names, templates)
    if isinstance(templates, models.SoftPrompts) and templates.weights != description.sha256:
      raise errors.InputError("these vectors were learnt for other weights")
    identity |= {"classes": list(names), "templates": templates}
    if isinstance(space, data.Sentences):
      identity |= {"captions": prompts}
  if groups is not None:
    identity |= {"groups": groups, "pool": space.pool}
  wanted, random, passes = defending.named(model), False, None
  if wanted.defences and source.direction == directions.TEXT_TO_IMAGE:
    raise errors.InputError("a defence is of a classifier; images are found by embeddings alone")
  if wanted.defences:
    blank = functools.partial(models.check_prompts, shape, [""], templates)
    reads = functools.partial(models.check_prompts, shape, names, models.phrase())
    outline = defending.outlined(
      wanted.defences, supervised=shape.supervised, blank=blank, prompts=reads
    )
    identity |= {"defences": wanted.told}
    cost = outline.cost
    passes = cost.forwards, cost.backwards
    random = outline.random
    if random and isinstance(space, data.Sentences):
      raise errors.InputError("it draws anew at each look, so that captions have no ranks")
    if random:
      identity |= {"evaluations": settings.evaluations}
  found = _shown(model, prompts, shape.preprocess, identity, settings)
  return dataclasses.replace(found, random=random, passes=passes)


def _check_reader(
  source: data.Texts, description: models.Description, name: defending.Named
) -> None:
  """Raises InputError for a model that cannot read the texts of a set."""
  if name.defences:
    raise errors.InputError("a defence is of a classifier of images, and the set has texts")
  if isinstance(description.config, models.CustomConfig):
    raise errors.InputError("it reads texts by a function of its own, outside of programs")
  if not description.config.supervised:
    models.check_prompts(description.config, source.texts, ["{}"])


def _shown(
  model: str,
  prompts: str | None,
  usual: models.Preprocess,
  identity: dict[str, Any],
  settings: config.Config,
) -> Classifier:
  """With images as the run wants them; that decides its logits too."""
  shown = pixels.preprocess(settings.preprocess, usual)
  if shown != usual:
    identity = identity | {"preprocess": models.told(shown)}
  return Classifier(model, prompts, shown, identity)


def _encoder(
  model: str,
  outputs: str,
  description: models.Description,
  settings: config.Config,
  *,
  alone: bool,
) -> Classifier:
  """Raises InputError if it has no embeddings of its own, or is to be averaged with others."""
  shape = description.config
  if shape.supervised:
    raise errors.InputError("a supervised model has no embeddings to attack")
  if defending.named(model).defences:
    raise errors.InputError("a defence is of a classifier; the embeddings are of the model alone")
  if not alone:
    raise errors.InputError("embeddings of several models have no mean; name it alone")
  identity = {
    "weights": description.sha256,
    "model": models.told(shape),
    "outputs": outputs,
  }
  if outputs == config.TOKENS:
    models.patch_tokens(_outline(model, shape).visual)
  return _shown(model, outputs, shape.preprocess, identity, settings)


def _outline(model: str, shape: Any) -> Any:
  """A network of the model's kind, for which nothing is read but what is one's own."""
  if isinstance(shape, models.CustomConfig):
    return models.load(defending.base(model))
  return models.abstract(shape)


def _knowledge(member: Classifier) -> str:
  if member.prompts is None:
    return f"the weights of {member.model}"
  if member.prompts == config.EMBEDDING:
    return f"the image encoder of {member.model}, no prompts"
  if member.prompts == config.TOKENS:
    return f"the patch tokens of the image encoder of {member.model}, no prompts"
  return f"the weights of {member.model}, prompts {member.prompts}"
