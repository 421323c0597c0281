"""Models that somebody else makes: a Python file, "mine.py:argument", a package, a notebook."""

import hashlib
from typing import Any, NamedTuple

import jax

from jaxbench import errors, model_names, user_file
from jaxbench.models.architectures import Model, family
from jaxbench.models.foreign import packages
from jaxbench.models.foreign.custom import Custom, CustomConfig, digest
from jaxbench.models.preprocess import Preprocess
from jaxbench.models.weights.checkpoint import Description, parameters


class _Made(NamedTuple):
  content: str  # sha256 of the file when it was called; "" of a package's.
  model: Model | Custom
  sha256: str  # Of the code and the weights.


_made: dict[str, _Made] = {}  # A model may be large: of each name the last one.


def hold(name: str, model: Any) -> str:
  """Keeps a model of this process, and returns the name by which it is known from now on.

  Raises:
    InputError: it is none.
  """
  kept = _as_model(name, model)
  _made[model_names.HELD + name] = _Made("", kept, _digest("", kept))
  return model_names.HELD + name


def is_name(name: str) -> bool:
  """Whether a model's name is that of a file, of another package's model, or of one held here."""
  return model_names.is_own(name) or packages.is_name(name)


def load(name: str, *, download: bool = False) -> Model | Custom:
  """What `get_model()` of the file returns, or `get_model(argument)`; see `packages` for others.

  Raises:
    InputError: the file cannot be read, has no such function or raises, or it returns no model; or
      the package has no such model.
  """
  return _make(name, download).model


def describe(name: str, *, download: bool = False) -> Description:
  """What is known of it; it is made once, until the file changes."""
  made = _make(name, download)
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


def _make(name: str, download: bool) -> _Made:
  if name.startswith(model_names.HELD) and name not in _made:
    raise errors.InputError(f"{name} was a model of another process; hand it over again")
  parts = model_names.FILE.fullmatch(name)
  content = user_file.digest(parts["file"]) if parts else ""
  if name not in _made or _made[name].content != content:
    if parts is None:
      model: Model | Custom = packages.make(name, download=download)
    else:
      arguments = () if parts["argument"] is None else (parts["argument"],)
      model = _as_model(parts["file"], user_file.call(parts["file"], "get_model", *arguments))
    _made[name] = _Made(content, model, _digest(content, model))
  return _made[name]


def _digest(content: str, model: Model | Custom) -> str:
  weights = model.sha256 if isinstance(model, Custom) else digest(jax.tree.leaves(model))
  return hashlib.sha256(f"{content}{weights}".encode()).hexdigest()


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
