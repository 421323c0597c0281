"""What the classifiers of one data set say of a block of its examples, clean and perturbed."""

import dataclasses
import functools
import io
from collections.abc import Callable, Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image

from jaxbench import attacks, config, corruptions, data, devices, models, spec
from jaxbench.plan import Cell

Columns = dict[str, Any]  # Of `records.SCHEMA`, one entry per example.
NOT_FINITE = -1  # In place of a prediction.


@dataclasses.dataclass(frozen=True)
class Block:
  """Some examples, decoded for one preprocessing, in memory."""

  ids: list[str]
  hashes: np.ndarray  # [N, 2] uint32, of the ids.
  images: np.ndarray  # [N, S, S, 3] uint8.
  labels: np.ndarray  # [N] int32.
  pictures: int  # Of the first so many, pictures are kept.


def load_block(
  source: data.Source, indices: list[int], preprocess: models.Preprocess, pictures: int
) -> Block:
  """Decodes the examples at `indices`, once for all cells that share them."""
  images, labels = data.load_images(source, indices, preprocess)
  ids = [source.ids[index] for index in indices]
  return Block(ids, np.stack([data.hash_id(name) for name in ids]), images, labels, pictures)


class Judge:
  """The classifiers of one data set on this host's devices, each loaded when first asked for."""

  def __init__(self, settings: config.Config, class_names: Iterable[str]):
    self._settings, self._class_names = settings, tuple(class_names)
    self._classifier = functools.cache(self._load)
    self._replicated_model = functools.cache(lambda name: devices.replicate(models.load(name)))

  def clean(self, cells: list[Cell], block: Block) -> dict[Cell, Columns]:
    """Predictions on the images as they are."""
    return self._predict(_unperturbed(), None, cells, block)

  def corrupted(self, cells: list[Cell], block: Block) -> dict[Cell, Columns]:
    """Predictions under one corruption at one severity, its images shared by all classifiers."""
    first = cells[0]
    variant, seed = self._settings.corruptions.variant, self._settings.seed
    inputs = (jnp.int32(first.severity), data.hash_id(first.stream))
    return self._predict(_corruption(first.perturbation, variant, seed), inputs, cells, block)

  def attacked(self, cell: Cell, block: Block) -> Columns:
    """The verdict on one attack at one epsilon."""
    classifier = self._classifier(cell.model, cell.prompts).tree()
    inputs = devices.replicate((classifier, data.hash_id(cell.stream)))
    epsilons = np.full(len(block.ids), cell.epsilon, np.float32)
    arrays = (block.hashes, block.images, block.labels, epsilons)
    parts, pictures = [], []
    program = _attack(cell.perturbation, self._settings.seed)
    for batch in devices.stream(program, inputs, arrays, self._settings.slots):
      parts.append(batch.fetch(lambda result: result[1]))
      pictures += _pictures(batch, block, lambda result: result[0])
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return columns | _picture_column(pictures, block)

  def _predict(
    self, program: Callable[..., Any], inputs: Any, cells: list[Cell], block: Block
  ) -> dict[Cell, Columns]:
    """Each classifier's predictions on the images that `program` makes."""
    parts: dict[Cell, list[np.ndarray]] = {cell: [] for cell in cells}
    pictures: list[bytes] = []
    arrays = (block.hashes, block.images)
    for batch in devices.stream(program, devices.replicate(inputs), arrays, self._settings.slots):
      results = {
        cell: _prediction()(self._classifier(cell.model, cell.prompts), batch.result)
        for cell in cells
      }
      for cell, result in results.items():
        parts[cell].append(devices.Batch(batch.examples, result).fetch())
      pictures += _pictures(batch, block, lambda images: images)
    none = np.zeros(len(block.ids), np.int32)
    shared = {"forwards": none + 1, "backwards": none} | _picture_column(pictures, block)
    return {cell: {"prediction": np.concatenate(part)} | shared for cell, part in parts.items()}

  def _load(self, model: str, prompts: str | None) -> devices.Replicated:
    loaded = self._replicated_model(model)
    if prompts is None:
      return loaded
    classifier = models.zero_shot(loaded.tree(), self._class_names, models.templates(prompts))
    return devices.replicate(classifier)


def _as_float(images: jax.Array) -> jax.Array:
  return images.astype(jnp.float32) / 255


@functools.cache
def _unperturbed() -> Callable[..., Any]:
  def clean(_: None, examples: jax.Array, images: jax.Array) -> jax.Array:
    return _as_float(images)

  return devices.shard(clean)


@functools.cache
def _corruption(name: str, variant: str, seed: int) -> Callable[..., Any]:
  """One program for all severities."""

  def corrupt(
    inputs: tuple[jax.Array, jax.Array], examples: jax.Array, images: jax.Array
  ) -> jax.Array:
    severity, stream = inputs
    one = functools.partial(corruptions.corrupt, name=name, severity=severity, variant=variant)
    return jax.vmap(one)(devices.example_keys(seed, stream, examples), _as_float(images))

  return devices.shard(corrupt)


@functools.cache
def _prediction() -> Callable[..., Any]:
  def predict(classifier: attacks.Classifier, images: jax.Array) -> jax.Array:
    logits = classifier(images)
    finite = jnp.isfinite(logits).all(axis=-1)
    return jnp.where(finite, jnp.argmax(logits, axis=-1).astype(jnp.int32), NOT_FINITE)

  return devices.shard(predict)


@functools.cache
def _attack(text: str, seed: int) -> Callable[..., Any]:
  """One program for all epsilons and all classifiers of one architecture."""
  run = attacks.program(spec.build(spec.resolve(text, attacks.ATTACKS, "attack")))

  def attack(
    inputs: tuple[attacks.Classifier, jax.Array],
    examples: jax.Array,
    images: jax.Array,
    labels: jax.Array,
    epsilons: jax.Array,
  ) -> tuple[jax.Array, dict[str, jax.Array]]:
    classifier, stream = inputs
    keys = devices.example_keys(seed, stream, examples)
    result = run(classifier, keys, _as_float(images), labels, epsilons)
    names = ("prediction", "success", "distance", "steps", "forwards", "backwards")
    return result.adversarial, {name: getattr(result, name) for name in names}

  return devices.shard(attack)


def _pictures(batch: devices.Batch, block: Block, part: Callable[[Any], Any]) -> list[bytes]:
  """PNGs of the batch's images, if any of them are wanted."""
  wanted = max(0, block.pictures - batch.examples.start)
  return [_png(image) for image in batch.fetch(part)[:wanted]] if wanted else []


def _picture_column(pictures: list[bytes], block: Block) -> dict[str, list[bytes | None]]:
  return {"picture": [*pictures, *[None] * (len(block.ids) - len(pictures))]}


def _png(image: np.ndarray) -> bytes:
  """float32 [H, W, 3] in [0, 1], rounded to 8 bits."""
  buffer = io.BytesIO()
  Image.fromarray(np.rint(image * 255).astype(np.uint8)).save(buffer, "PNG")
  return buffer.getvalue()
