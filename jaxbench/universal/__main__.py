"""Learns one perturbation for all images, on the image encoders of several models.

  python -m jaxbench.universal --models=digits-clip --data=digits-train --out=uap

A supervised model takes part with its logits. --target is a text that images are to be taken for;
without it they lose their likeness to what they were. The same command continues a search that was
stopped. Evaluate what it has learnt with --config.universal.paths=uap, on other images.
"""

import dataclasses
import fractions
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

import jax
from absl import flags

from jaxbench import data, devices, errors, models, program, universal
from jaxbench.storage import places
from jaxbench.universal import files

_FLAGS = flags.FlagValues()
_MODELS = flags.DEFINE_list("models", [], "Models to learn on.", flag_values=_FLAGS)
_DATA = flags.DEFINE_string("data", None, "The data set to learn from.", flag_values=_FLAGS)
_ROOT = flags.DEFINE_string(
  "data_root", None, "Folder of the data sets; or set JAXBENCH_DATA.", flag_values=_FLAGS
)
_DOWNLOAD = flags.DEFINE_bool("download", False, "Fetch models.", flag_values=_FLAGS)
_OUT = flags.DEFINE_string("out", None, "Folder to write to.", flag_values=_FLAGS)
_TARGET = flags.DEFINE_string("target", "", "A text, for zero-shot models.", flag_values=_FLAGS)
_EPSILON = flags.DEFINE_string("epsilon", "12/255", "Radius of linf.", flag_values=_FLAGS)
_OPTIMIZER = flags.DEFINE_enum(
  "optimizer", "sign", ["sign", "adam"], "What follows the slope.", flag_values=_FLAGS
)
_STEP_SIZE = flags.DEFINE_string("step_size", "1/510", "In pixel units.", flag_values=_FLAGS)
_STEPS = flags.DEFINE_integer("steps", 1000, "How many.", lower_bound=1, flag_values=_FLAGS)
_BATCH = flags.DEFINE_integer("batch", 64, "Images a step.", lower_bound=1, flag_values=_FLAGS)
_UCB = flags.DEFINE_integer(
  "ucb", 0, "Models a step, by upper confidence bound; 0 is all.", lower_bound=0, flag_values=_FLAGS
)
_LIMIT = flags.DEFINE_integer(
  "limit", 0, "A random sample of so many images; 0 is all.", lower_bound=0, flag_values=_FLAGS
)
_SIZE = flags.DEFINE_integer(
  "size", None, "Pixels of a side; that of the first model.", lower_bound=8, flag_values=_FLAGS
)
_SEED = flags.DEFINE_integer(
  "seed", 0, "Of the order.", lower_bound=0, upper_bound=2**32 - 1, flag_values=_FLAGS
)


def _learn(arguments: Sequence[str]) -> int:
  if len(arguments) or not (_MODELS.value and _DATA.value and _OUT.value):
    raise errors.InputError("usage: python -m jaxbench.universal --models=A,B --data=SET --out=DIR")
  places.for_folder("--out", _OUT.value)
  epsilon, step_size = _number("epsilon", _EPSILON.value), _number("step_size", _STEP_SIZE.value)
  devices.use_all_cores()
  devices.use_compilation_cache()
  loaded = [models.load(name, download=_DOWNLOAD.value) for name in _MODELS.value]
  usual = loaded[0].config.preprocess
  side = _SIZE.value or usual.size
  source = data.load(_DATA.value, _ROOT.value)
  rows = data.sample(source, _LIMIT.value)
  images, _ = data.load_images(source, rows, dataclasses.replace(usual, size=side, resize=None))
  folder = pathlib.Path(_OUT.value)
  found = universal.learn(
    [_outputs(model) for model in loaded],
    images,
    epsilon=epsilon,
    optimizer=_OPTIMIZER.value,
    step_size=step_size,
    steps=_STEPS.value,
    batch=_BATCH.value,
    key=_SEED.value,
    targets=[_text(model) for model in loaded] if _TARGET.value else None,
    choose=f"ucb(k={_UCB.value})" if _UCB.value else "all",
    folder=folder,
  )
  found = files.with_source(found, source.sha256, [source.ids[row] for row in rows])
  learnt_on = {name: models.describe(name).sha256 for name in _MODELS.value}
  universal.save(dataclasses.replace(found, told=found.told | {"models": learnt_on}), folder)
  print(f"universal perturbation: {folder}")
  return 0


def _number(name: str, text: str) -> float:
  """A positive number, also as a fraction."""
  try:
    found = float(fractions.Fraction(text))
  except (ValueError, ZeroDivisionError):
    found = -1.0
  if not 0 < found <= 1:
    raise errors.InputError(f"--{name}={text} is no size in (0, 1]: write 12/255")
  return found


def _outputs(model: Any) -> models.Resized:
  """Its image encoder, or itself; images of other sizes are resized inside."""
  size = model.config.preprocess.size
  return models.resized(model if model.config.supervised else model.visual, size)


def _text(model: Any) -> jax.Array:
  if model.config.supervised:
    raise errors.InputError("--target is a text, and a supervised model reads none")
  return models.zero_shot(model, [_TARGET.value], ["{}"]).text[:, 0]


def main(arguments: Sequence[str]) -> int:
  """Returns the exit status."""
  return program.run("jaxbench.universal", __doc__, _FLAGS, _learn, arguments)


if __name__ == "__main__":
  sys.exit(main(sys.argv[1:]))
