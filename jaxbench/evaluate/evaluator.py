"""The classifiers of one data set, and what they say of a block of its examples."""

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import jax
import numpy as np

from jaxbench import attacks, config, data, defences, devices, models
from jaxbench.attacks.engine import batching, checks, evaluations, view, visibility
from jaxbench.blocks import Block, pictures
from jaxbench.config import Member
from jaxbench.evaluate.heads import Heads
from jaxbench.evaluate.predicting import prediction
from jaxbench.evaluate.slots import Slots
from jaxbench.plan import defending
from jaxbench.plan.perturbations import Columns, Joint, TextAttack, clean
from jaxbench.plan.prompting import prompting
from jaxbench.telemetry import clock


class Evaluator:
  """The classifiers of one data set on this host's devices, each loaded when first asked for.

  Args:
    settings: of the run.
    label_space: of the data set.
    model: gives models by name, the same for all data sets of a run.
    heads: of the run.
    slots: of the run.
    tally: of the attacks on all data sets of a run.
  """

  def __init__(
    self,
    settings: config.Config,
    label_space: data.LabelSpace,
    model: Callable[[str], devices.Replicated],
    heads: Heads,
    slots: Slots,
    tally: batching.Tally,
  ):
    self.settings, self.tally = settings, tally
    self.label_space, self._model = label_space, model
    self._heads, self._slots = heads, slots
    self.classifier = functools.cache(self._load)
    self.searchers = functools.cache(self._load_searchers)
    self.surrogate = functools.cache(self._load_surrogate)
    self.warnings: list[dict[str, str]] = []  # What makes an attack's figures doubtful.
    self._checked: set[str] = set()

  aimed = False  # Whether attacks have a goal, see `attacks.Aimed`, and labels are cases.

  @property
  def slots(self) -> int:
    """Examples that each device works on at once."""
    return self._slots.count

  @property
  def scored(self) -> bool:
    """Whether records have all logits."""
    return self.label_space.scored

  def clean(self, members: Sequence[Member], block: Block) -> list[Columns]:
    """Predictions on the images as they are."""
    return self.predict(clean.program(), None, members, block)

  def shape(self, block: Block) -> tuple[int, int]:
    """Height and width of the images that are perturbed for a block."""
    _, height, width, _ = block.images.shape
    return height, width

  def predict(
    self,
    program: Callable[..., Any],
    inputs: Any,
    members: Sequence[Member],
    block: Block,
    name: str = "",
  ) -> list[Columns]:
    """What each classifier says of the same images.

    Args:
      program: sharded, (inputs, hashes of ids, images) -> float32 images.
      inputs: its first argument.
      members: the classifiers.
      block: of clean examples.
      name: of what the program does, which nobody needs where it is done block by block.

    Returns:
      Columns of `records.SCHEMA` for each classifier.
    """
    del name
    parts: list[list[Any]] = [[] for _ in members]
    kept: list[bytes | None] = []
    seen: list[visibility.Visibility] = []
    for shown, results, visible in devices.late(self._predicted(program, inputs, members, block)):
      for part, result in zip(parts, results, strict=True):
        part.append(result.fetch())
      if visible is not None:
        seen.append(visible.fetch())
      rows = np.arange(shown.examples.start, shown.examples.stop)
      kept += pictures.keep(rows, block, functools.partial(pictures.fetch_batch, shown))
    none = np.zeros(len(block.ids), np.int32)
    shared = {"forwards": none + 1, "backwards": none, "picture": kept}
    shared |= visibility.joined(seen)
    whole = (jax.tree.map(lambda *some: np.concatenate(some), *part) for part in parts)
    return [shared | _columns(prediction) for prediction in whole]

  def _predicted(
    self, program: Callable[..., Any], inputs: Any, members: Sequence[Member], block: Block
  ) -> Iterator[tuple[devices.Batch, list[devices.Batch], devices.Batch | None]]:
    """Batches of images, what the classifiers say of each, and how visible what changed them is.

    Nothing is waited for. Of images that no program has changed, nothing is visible.
    """
    arrays, visible = (block.hashes, block.images), None
    nothing = devices.replicate(())
    for shown in devices.dispatch(program, devices.replicate(inputs), arrays, self.slots):
      # The last batch repeats its last row.
      padded = shown.examples.start + np.arange(len(shown.result))
      rows = np.minimum(padded, len(block.ids) - 1)
      seen = shown.result, self.cases(block)[rows], block.hashes[rows]
      results = [self.judge(one, *seen) for one in members]
      if program is not clean.program():
        measured = visibility.measure()(nothing, block.images[rows], shown.result)
        visible = devices.Batch(shown.examples, measured)
      yield shown, [devices.Batch(shown.examples, result) for result in results], visible

  def judge(self, member: Member, images: jax.Array, labels: jax.Array, hashes: jax.Array) -> Any:
    """What a classifier says of images on the devices: a dataclass of columns [S, ...].

    Args:
      member: the classifier.
      images: [S, H, W, 3] float32 in [0, 1].
      labels: [S] int32.
      hashes: uint32 [S, 2], of the ids.
    """
    return prediction(self.scored)(self.classifier(member), images, labels, hashes)

  def cases(self, block: Block) -> np.ndarray:
    """int32 [N]: what programs know examples by, their labels."""
    return block.labels

  def ranks(self, member: Member, images: Callable[[], np.ndarray], labels: np.ndarray) -> Columns:
    """Where captions of perturbed images stand; nothing, since these have none.

    Args:
      member: the classifier.
      images: gives float32 [N, H, W, 3] in [0, 1]; not called in vain.
      labels: [N] int32.
    """
    del member, images, labels
    return {}

  def rewritten(self, member: Member, wanted: TextAttack, block: Block, clean: Columns) -> Columns:
    """What a model says of texts that are attacked; not of images, which have none.

    Args:
      member: the model.
      wanted: the attack.
      block: of examples with texts.
      clean: what it says of them as they are.
    """
    raise NotImplementedError

  def among_texts(self, member: Member, wanted: TextAttack, block: Block) -> Columns:
    """Where the captions of images stand when all captions are attacked; other sets have none."""
    raise NotImplementedError

  def among_images(
    self, made: Any, members: Sequence[Member], block: Block, name: str
  ) -> list[Columns]:
    """Where the images of captions stand when all images are attacked; other sets have none.

    Args:
      made: of a block of images, batches of them attacked, on the devices.
      members: the models.
      block: of captions.
      name: of what is done to the images, with all that decides it.
    """
    raise NotImplementedError

  def jointly(self, wanted: Joint, members: Sequence[Member], block: Block) -> list[Columns]:
    """Where images and captions stand when both sides are attacked; other sets have one side.

    Args:
      wanted: the attack.
      members: the models.
      block: of images, or of captions.
    """
    raise NotImplementedError

  def check(
    self,
    names: tuple[str, str],
    cascade: attacks.Cascade,
    classifier: devices.Replicated,
    block: Block,
  ) -> None:
    """Looks once at the first images through a classifier, and at an attack.

    Args:
      names: of the classifier and of the attack, with that of the data set.
      cascade: the attack.
      classifier: which it is made on.
      block: of clean examples.
    """
    self._doubt(names[0], lambda: self._look(classifier, block))
    count = len(self.label_space.class_names)
    self._doubt(names[1], lambda: checks.of_cascade(cascade, count))

  def _doubt(self, what: str, find: Callable[[], Iterable[attacks.Doubt]]) -> None:
    if what not in self._checked:
      self.warnings += [{"what": what, **doubt._asdict()} for doubt in find()]
      self._checked.add(what)

  def _look(self, classifier: devices.Replicated, block: Block) -> tuple[attacks.Doubt, ...]:
    first = slice(self.slots * devices.mesh().size)
    # As images under attack are, so that the programs are the same.
    images, labels = block.images[first] / np.float32(255), block.labels[first]
    return checks.of_classifier(classifier, images, labels, self.slots)

  @clock.preparing()
  def _load(self, member: Member) -> devices.Replicated:
    loaded, classifier, groups = self.parts(member)
    if groups is not None:
      classifier = models.pooled(classifier, groups, self.label_space.pool)
    whole: Any = models.resized(classifier, loaded.preprocess.size)
    if whole.random:
      whole = evaluations.Repeated(whole, self.settings.evaluations, self.settings.seed)
    return devices.replicate(whole)

  def parts(self, member: Member) -> tuple[Any, Any, data.Groups | None]:
    """A model, the classifier that is made of it, and the logits of each class of the set."""
    loaded, space = self._model(member.model).tree(), self.label_space
    name, classifier, groups = defending.named(member.model), loaded, None
    templates: Any = None
    names: Any = ()
    if member.prompts is None:
      groups = space.supervised_groups(loaded.config.num_classes, loaded.config.class_names)
    elif member.prompts == config.EMBEDDING:
      classifier = loaded.visual
    elif member.prompts == config.TOKENS:
      classifier = models.patch_tokens(loaded.visual)
    else:
      weights = models.describe(name.base).sha256
      _, names, templates, groups = prompting(member.prompts, space)
      classifier = self._heads.zero_shot(loaded, weights, names, templates)
    if name.defences:
      blank = functools.partial(self._blank, loaded, name.base, templates)
      prompts = functools.partial(_prompts, loaded, names)
      classifier = defending.defended(classifier, name.defences, blank, prompts)
    return loaded, classifier, groups

  def _blank(self, loaded: Any, model: str, templates: Any) -> jax.Array:
    """The text embedding [D] of prompts without a name."""
    weights = models.describe(model).sha256
    return self._heads.zero_shot(loaded, weights, [""], templates).text[:, 0]

  def _load_searchers(self, member: Member) -> tuple[devices.Replicated, ...]:
    """What attacks search on, the cheapest first; see `view.searchers`."""
    dtype = self.settings.attacks.search_dtype
    classifier = evaluations.single(self.classifier(member).tree())
    return tuple(map(devices.replicate, view.searchers(classifier, dtype)))

  def _load_surrogate(self, members: tuple[Member, ...]) -> devices.Replicated:
    """What images for transfer are made on: a classifier, several as one, or an image encoder."""
    loaded = [evaluations.single(self.classifier(member).tree()) for member in members]
    whole = loaded[0] if len(loaded) == 1 else self._together(loaded)
    dtype = self.settings.attacks.search_dtype
    return devices.replicate(whole if dtype == "float32" else whole.compute_in(dtype))

  def _together(self, classifiers: list[Any]) -> Any:
    """Several surrogates as one."""
    return attacks.ensemble(classifiers)


def _prompts(loaded: Any, names: Sequence[str]) -> defences.Prompts:
  """What reads contexts before class names."""
  return defences.Prompts(*models.prompter(loaded, names))


def _columns(prediction: Any) -> Columns:
  columns = {name: column for name, column in vars(prediction).items() if column is not None}
  return columns | ({"scores": list(columns["scores"])} if "scores" in columns else {})
