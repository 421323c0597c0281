"""Models that a Python file makes: "mine.py", or "mine.py:argument"."""

import hashlib
import re
from typing import Any, NamedTuple

import jax

from jaxbench import errors, user_file
from jaxbench.models.architectures import Model, family
from jaxbench.models.custom import Custom, CustomConfig, digest
from jaxbench.models.preprocess import Preprocess
from jaxbench.models.weights.checkpoint import Description, parameters

_NAME = re.compile(r"(?P<file>.+\.py)(:(?P<argument>.*))?", re.DOTALL)


class _Made(NamedTuple):
  content: str  # sha256 of the file when it was called.
  model: Model | Custom
  sha256: str  # Of the code and the weights.


_made: dict[str, _Made] = {}  # A model may be large: of each name the last one.


def is_name(name: str) -> bool:
  """Whether a model's name is that of a Python file."""
  return _NAME.fullmatch(name) is not None


def load(name: str) -> Model | Custom:
  """What `get_model()` of the file returns, or `get_model(argument)`.

  Raises:
    InputError: the file cannot be read, has no such function or raises, or it returns no model.
  """
  return _make(name).model


def describe(name: str) -> Description:
  """What is known of it; the file is called once, until it changes."""
  made = _make(name)
  config: Any = made.model.config
  return Description(
    architecture="custom" if isinstance(config, CustomConfig) else family(config).name,
    config=config,
    parameters=_parameters(made.model),
    sha256=made.sha256,
    source=getattr(made.model, "source", "") or name,
  )


def _parameters(model: Model | Custom) -> int:
  if isinstance(model, Custom):
    return sum(leaf.size for leaf in jax.tree.leaves(model.visual))
  return parameters(model)


def _make(name: str) -> _Made:
  parts = _NAME.fullmatch(name)
  assert parts is not None
  file, argument = parts["file"], parts["argument"]
  content = user_file.digest(file)
  if name not in _made or _made[name].content != content:
    arguments = () if argument is None else (argument,)
    model = _as_model(file, user_file.call(file, "get_model", *arguments))
    weights = model.sha256 if isinstance(model, Custom) else digest(jax.tree.leaves(model))
    both = hashlib.sha256(f"{content}{weights}".encode()).hexdigest()
    _made[name] = _Made(content, model, both)
  return _made[name]


def _as_model(file: str, value: Any) -> Model | Custom:
  if isinstance(value, (Custom, Model)):
    return value
  if callable(value) and isinstance(getattr(value, "preprocess", None), Preprocess):
    try:
      return Custom(value, value.preprocess)
    except errors.InputError as error:
      raise errors.InputError(f"{file}: {error}") from error
  raise errors.InputError(
    f"{file}: get_model() must return a models.Custom(network, models.Preprocess(size)), not a "
    f"{type(value).__name__}"
  )
