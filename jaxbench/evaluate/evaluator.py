"""What the classifiers of one data set say of a block of its examples, clean and perturbed."""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from absl import logging
from flax import struct

from jaxbench import attacks, config, data, devices, errors, models, spec, stylize, typography
from jaxbench.attacks.engine import batching, checks, verdict, view
from jaxbench.evaluate import blocks, pictures
from jaxbench.evaluate.blocks import Block
from jaxbench.plan import Cell, corrupted, perturbations

Columns = dict[str, Any]  # Of `records.SCHEMA`, one entry per example.


@struct.dataclass
class _Prediction:
  """Of one classifier; arrays [S]."""

  prediction: jax.Array  # [] int32.
  rank: jax.Array  # [] int32, of the label.
  confidence: jax.Array  # [] float32.


class Judge:
  """The classifiers of one data set on this host's devices, each loaded when first asked for."""

  def __init__(
    self,
    settings: config.Config,
    label_space: data.LabelSpace,
    model: Callable[[str], devices.Replicated],
    tally: batching.Tally,
  ):
    self._replicated_model = model  # By name; the same for all data sets of a run.
    self._tally = tally  # Of the white-box attacks on all of them.
    self.settings, self._label_space = settings, label_space
    self.classifier = functools.cache(self._load)
    self.searchers = functools.cache(self._load_searchers)
    self.surrogate = functools.cache(self._load_surrogate)
    self._stylizer = functools.cache(self._load_stylizer)
    self.warnings: list[dict[str, str]] = []  # What makes an attack's figures doubtful.
    self._checked: set[str] = set()  # What has been looked at.

  def clean(self, cells: list[Cell], block: Block) -> dict[Cell, Columns]:
    """Predictions on the images as they are."""
    return self._predict(_unperturbed(), None, cells, block)

  def corrupted(self, cells: list[Cell], block: Block) -> dict[Cell, Columns]:
    """Predictions under one corruption at one severity, its images shared by all classifiers."""
    first, asked = cells[0], self.settings.corruptions
    name, severity = first.perturbation, first.severity
    assert severity is not None
    inputs = corrupted.inputs(name, severity, asked, block.images.shape[1:3])
    return self._predict(corrupted.program(name, asked, self.settings.seed), inputs, cells, block)

  def stylized(self, cells: list[Cell], block: Block) -> dict[Cell, Columns]:
    """Predictions on the images in the style of paintings, shared by all classifiers.

    Raises:
      InputError: the images do not fit the network, or a painting cannot be read.
    """
    network, paintings = self._stylizer()
    chosen = paintings.choose(block.ids, self.settings.seed)
    styles = paintings.load(chosen, block.images.shape[1])
    images = stylize.render(network, block.images, styles, self.settings.slots)
    rendered = dataclasses.replace(block, images=images)
    return self._predict(_unperturbed(), None, cells, rendered)

  def written(self, cells: list[Cell], clean: Block) -> dict[Cell, Columns]:
    """Predictions under one typographic attack, its images shared where the models do not matter.

    Raises:
      InputError: the words cannot be chosen or written.
    """
    overlay = spec.build(
      spec.resolve(cells[0].perturbation, typography.OVERLAYS, "typographic attack")
    )
    results: dict[Cell, Columns] = {}
    for same in [cells] if overlay.words.target == "random" else [[cell] for cell in cells]:
      logits = None
      if overlay.words.target != "random":
        classifier = self.classifier(same[0].model, same[0].prompts)
        logits = verdict.logits(classifier, clean.images, self.settings.slots)
      written, targets = blocks.write(clean, overlay, self.settings.seed, logits)
      for cell, columns in self._predict(_unperturbed(), None, same, written).items():
        results[cell] = columns | {"target": targets}
    return results

  def attacked(
    self, cell: Cell, block: Block, clean: np.ndarray
  ) -> Iterator[tuple[np.ndarray, Columns]]:
    """Verdicts on one attack, as they fall: rows of the block, and their columns.

    Args:
      cell: with an attack.
      block: of examples.
      clean: int32 [N], predictions on them as they are.
    """
    stages, asked = cascade(cell), self.settings.attacks
    classifier = self.classifier(cell.model, cell.prompts)
    searchers = self.searchers(cell.model, cell.prompts)
    self.check(cell, stages, classifier, block)
    wrong = clean != block.labels
    yield np.flatnonzero(wrong), untouched(block, clean, np.flatnonzero(wrong))
    right = np.flatnonzero(~wrong)
    everything = attackable(cell.stream, cell.epsilon, block, self.settings.seed, searchers[-1])
    examples = batching.Examples(*(array[right] for array in everything))
    settings = batching.Settings(self.settings.slots, asked.quantize, cell.tolerance)
    found: batching.Harvest
    for found in batching.attack(stages, classifier, searchers, examples, settings, self._tally):
      rows, name = right[found.rows], stages.names[found.stage]
      columns: Columns = {name: found.fetch(name) for name in ("prediction", "distance")}
      if cell.tolerance is not None:
        columns["distance"] = np.where(found.success, columns["distance"], np.float32(np.inf))
      columns |= {"success": found.success, "picture": pictures.keep(rows, block, found.fetch)}
      columns |= found.costs
      columns["found_by"] = [name if success else None for success in found.success]
      keep = np.flatnonzero(found.final)
      yield rows[keep], {name: [column[i] for i in keep] for name, column in columns.items()}

  def check(
    self,
    cell: Cell,
    cascade: attacks.Cascade,
    classifier: devices.Replicated,
    block: Block,
  ) -> None:
    """Looks once at the first images through each classifier, and at each attack."""
    name = cell.surrogate or ", ".join(filter(None, (cell.model, cell.prompts)))
    self._doubt(f"{name} on {cell.data}", lambda: self._look(classifier, block))
    attacked = f"{cell.perturbation} on {cell.data}"
    self._doubt(attacked, lambda: checks.of_cascade(cascade, len(self._label_space.class_names)))

  def _doubt(self, what: str, find: Callable[[], Iterable[attacks.Doubt]]) -> None:
    if what not in self._checked:
      self.warnings += [{"what": what, **doubt._asdict()} for doubt in find()]
      self._checked.add(what)

  def _look(self, classifier: devices.Replicated, block: Block) -> tuple[attacks.Doubt, ...]:
    slots = self.settings.slots
    first = slice(slots * devices.mesh().size)
    images, labels = block.images[first], block.labels[first]
    logits = verdict.logits(classifier, images, slots)
    return checks.of_classifier(classifier, images, labels, logits, slots)

  def halve(self) -> None:
    """Goes on with half the slots, after a device's memory was full.

    Raises:
      InputError: there is only one.
    """
    full = self.settings.slots
    if full == 1:
      raise errors.InputError(
        "a device's memory is full although each device works on one example at a time; what was "
        "written stays good. The same command continues the run on devices with more memory; or "
        "leave out the largest of --config.models"
      )
    self.settings = dataclasses.replace(self.settings, slots=full // 2)
    detail = (
      f"a device's memory was full with {full} slots; rows from there on were made in {full // 2}, "
      "which may round floats otherwise"
    )
    logging.warning("%s", detail)
    self.warnings.append({"what": "memory", "name": "out_of_memory", "detail": detail})

  def _predict(
    self, program: Callable[..., Any], inputs: Any, cells: list[Cell], block: Block
  ) -> dict[Cell, Columns]:
    """Each classifier's predictions on the images that `program` makes."""
    parts: dict[Cell, list[_Prediction]] = {cell: [] for cell in cells}
    kept: list[bytes | None] = []
    arrays = (block.hashes, block.images)
    for batch in devices.stream(program, devices.replicate(inputs), arrays, self.settings.slots):
      # The last batch repeats its last row.
      padded = batch.examples.start + np.arange(len(batch.result))
      labels = block.labels[np.minimum(padded, len(block.ids) - 1)]
      results = {
        cell: prediction()(self.classifier(cell.model, cell.prompts), batch.result, labels)
        for cell in cells
      }
      for cell, result in results.items():
        parts[cell].append(devices.Batch(batch.examples, result).fetch())
      rows = np.arange(batch.examples.start, batch.examples.stop)
      kept += pictures.keep(rows, block, functools.partial(pictures.fetch_batch, batch))
    none = np.zeros(len(block.ids), np.int32)
    shared = {"forwards": none + 1, "backwards": none, "picture": kept}
    return {
      cell: shared | dataclasses.asdict(jax.tree.map(lambda *some: np.concatenate(some), *part))
      for cell, part in parts.items()
    }

  def _load(self, model: str, prompts: str | None) -> devices.Replicated:
    loaded, space = self._replicated_model(model).tree(), self._label_space
    classifier, groups = loaded, None
    if prompts is None:
      groups = space.supervised_groups(loaded.config.num_classes)
    elif prompts == config.EMBEDDING:
      classifier = loaded.visual
    else:
      classifier = models.zero_shot(loaded, space.prompted, models.templates(prompts))
      groups = space.prompted_groups
    if groups is not None:
      classifier = models.pooled(classifier, groups, space.pool)
    return devices.replicate(models.resized(classifier, loaded.preprocess.size))

  def _load_stylizer(self) -> tuple[devices.Replicated, stylize.Paintings]:
    asked = self.settings.stylization
    return devices.replicate(stylize.load(asked.weights)), stylize.Paintings(asked.paintings)

  def _load_searchers(self, model: str, prompts: str | None) -> tuple[devices.Replicated, ...]:
    """What attacks climb, the cheapest first; see `view.searchers`."""
    classifier, dtype = self.classifier(model, prompts), self.settings.attacks.search_dtype
    return tuple(map(devices.replicate, view.searchers(classifier.tree(), dtype)))

  def _load_surrogate(self, members: tuple[config.Member, ...]) -> devices.Replicated:
    """What images for transfer are made on: a classifier, several as one, or an image encoder."""
    dtype = self.settings.attacks.search_dtype
    loaded = [self.classifier(*member).tree() for member in members]
    whole = loaded[0] if len(loaded) == 1 else attacks.ensemble(loaded)
    return devices.replicate(whole if dtype == "float32" else whole.compute_in(dtype))


@functools.cache
def _unperturbed() -> Callable[..., Any]:
  def clean(_: None, examples: jax.Array, images: jax.Array) -> jax.Array:
    return attacks.as_float(images)

  return devices.shard(clean)


@functools.cache
def prediction() -> jax.stages.Wrapped:
  """A program (classifier, images, labels) -> what is predicted."""

  def predict(classifier: attacks.Classifier, images: jax.Array, labels: jax.Array) -> _Prediction:
    logits = classifier(images)
    finite = jnp.isfinite(logits).all(axis=-1)
    return _Prediction(
      prediction=verdict.predict(logits),
      rank=jnp.where(finite, jax.vmap(_rank)(logits, labels), logits.shape[-1]),
      confidence=jnp.where(finite, jax.nn.softmax(logits).max(axis=-1), 0),
    )

  return devices.shard(predict)


def _rank(logits: jax.Array, label: jax.Array) -> jax.Array:
  """How many classes come before the label []; of equal logits [K] the first does."""
  earlier = (logits == logits[label]) & (jnp.arange(logits.size) < label)
  return ((logits > logits[label]) | earlier).sum().astype(jnp.int32)


def cascade(cell: Cell) -> attacks.Cascade:
  """The attack of a cell, as it is made on its classifier or its surrogate."""
  if cell.members:
    encodes = cell.members[0].prompts == config.EMBEDDING
    resolved = perturbations.for_transfer(str(cell.attack), encodes=encodes)
  else:
    resolved = spec.resolve(str(cell.attack), attacks.ATTACKS, "attack")
  return attacks.cascade(spec.build(resolved))


def attackable(
  stream: str, epsilon: float | None, block: Block, seed: int, searcher: devices.Replicated
) -> batching.Examples:
  """The examples of a block as the engine takes them, each with its own randomness of `stream`."""
  words = _words(seed, data.hash_id(stream), block.hashes)
  searched = view.searched(searcher.tree(), block.labels)
  epsilons = np.full(len(block.ids), epsilon, np.float32)
  return batching.Examples(np.asarray(words), block.images, block.labels, searched, epsilons)


@functools.partial(jax.jit, static_argnums=0)
def _words(seed: int, stream: jax.Array, examples: jax.Array) -> jax.Array:
  return jax.random.key_data(devices.example_keys(seed, stream, examples))


def untouched(block: Block, clean: np.ndarray, rows: np.ndarray) -> Columns:
  """What stands for an attack where the clean image is misclassified."""
  none = np.zeros(len(rows), np.int32)
  costs = {"steps": none, "forwards": none + 1, "backwards": none, "refuted": none}
  kept = pictures.keep(rows, block, lambda _: block.images[rows] / np.float32(255))
  verdicts = {"prediction": clean[rows], "success": none == 0, "distance": none.astype(np.float32)}
  return costs | verdicts | {"picture": kept}
