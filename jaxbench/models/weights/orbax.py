"""jaxbench's own checkpoints: an Orbax folder of tensors beside a description in model.json."""

import dataclasses
import hashlib
import json
import types
import typing
from typing import Any

import jax
import numpy as np
from etils import epath

from jaxbench import errors
from jaxbench.models import later
from jaxbench.models.architectures import FAMILIES, Model, family
from jaxbench.models.weights.checkpoint import (
  Description,
  abstract,
  fill,
  parameters,
  tensors,
  tokenizer_file,
)

_DESCRIPTION, _TENSORS, _TOKENIZER = "model.json", "tensors", "tokenizer.json"


def digest(named: dict[str, jax.Array]) -> str:
  """SHA-256 over names, dtypes, shapes and bytes."""
  result = hashlib.sha256()
  for name in sorted(named):
    array = np.asarray(named[name])
    result.update(f"{name} {array.dtype} {array.shape}\n".encode())
    result.update(array.tobytes())
  return result.hexdigest()


def is_checkpoint(folder: epath.Path) -> bool:
  """Whether `folder` is in this format."""
  return (folder / _DESCRIPTION).exists()


def save(model: Model, folder: epath.PathLike, source: str) -> None:
  """Writes `model` to the new `folder`; `source` says where its weights came from."""
  import orbax.checkpoint as ocp  # Slow to import.

  folder = epath.Path(folder)
  folder = folder if "://" in str(folder) else folder.absolute()
  named = tensors(model)
  folder.mkdir(parents=True, exist_ok=False)
  with ocp.StandardCheckpointer() as checkpointer:
    checkpointer.save(folder / _TENSORS, named)
  if (tokenizer := getattr(model, "tokenizer", None)) is not None:
    (folder / _TOKENIZER).write_text(epath.Path(tokenizer.path).read_text())
  description = Description(
    architecture=family(model.config).name,
    config=model.config,
    parameters=parameters(model),
    sha256=digest(named),
    source=source,
  )
  # Last: a folder without it is no checkpoint.
  (folder / _DESCRIPTION).write_text(json.dumps(dataclasses.asdict(description), indent=2) + "\n")


def describe(folder: epath.Path) -> Description:
  """The description, without reading tensors.

  Raises:
    InputError: the description cannot be read or names an unknown architecture.
  """
  try:
    fields = json.loads((folder / _DESCRIPTION).read_text())
    config = _build(FAMILIES[fields["architecture"]].config, fields.pop("config"))
    hints = typing.get_type_hints(Description)
    return Description(
      config=config, **{name: _build(hints[name], fields[name]) for name in fields}
    )
  except (KeyError, TypeError, ValueError) as error:
    raise errors.InputError(
      f"{folder / _DESCRIPTION}: not a model description ({error})"
    ) from error


def load(folder: epath.Path) -> Model:
  """The model in `folder`.

  Raises:
    InputError: a tensor is missing, surplus or of another shape, or the bytes have changed.
  """
  import orbax.checkpoint as ocp

  description = describe(folder)
  config = description.config
  model = abstract(config, tokenizer_file(config, folder / _TOKENIZER))
  place = folder / _TENSORS if "://" in str(folder) else folder.absolute() / _TENSORS
  try:
    with ocp.StandardCheckpointer(multiprocessing_options=_alone()) as checkpointer:
      stored = checkpointer.metadata(place).item_metadata
      here = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
      wanted = {
        name: jax.ShapeDtypeStruct(spec.shape, stored[name].dtype, sharding=here)
        for name, spec in tensors(model).items()
      }
      restored = checkpointer.restore(place, wanted)
  except (ValueError, KeyError, OSError, TypeError, AttributeError) as error:
    raise errors.InputError(f"{folder}: cannot read its tensors: {error}") from error
  if digest(restored) != description.sha256:
    raise errors.InputError(f"{folder}: the tensors differ from the sha256 in {_DESCRIPTION}")
  return fill(model, restored)


def _alone() -> Any:
  """Each host reads for itself, whether it has joined others or not."""
  import orbax.checkpoint as ocp

  host = jax.process_index()
  return ocp.options.MultiprocessingOptions(
    primary_host=host, active_processes={host}, barrier_sync_key_prefix=f"host{host}"
  )


def _build(kind: Any, value: Any) -> Any:
  """`value` from JSON as what `kind` declares: numbers, text, and dataclasses and tuples of them.

  Raises:
    TypeError: it is something else.
  """
  options = typing.get_args(kind)
  if isinstance(kind, types.UnionType):
    fitting = [option for option in options if _is_like(option, value)]
    return _build(fitting[0] if fitting else options[0], value)
  if not _is_like(kind, value):
    raise TypeError(f"{value!r} in place of {getattr(kind, '__name__', kind)}")
  if dataclasses.is_dataclass(kind):
    hints = typing.get_type_hints(kind)
    return typing.cast(Any, kind)(**{key: _build(hints[key], item) for key, item in value.items()})
  if typing.get_origin(kind) is tuple:
    return tuple(_build(options[0], item) for item in value)
  return value


def _is_like(kind: Any, value: Any) -> bool:
  """Whether JSON's `value` can be a `kind`, by its outermost part."""
  if dataclasses.is_dataclass(kind):
    names = {field.name for field in dataclasses.fields(kind)}
    return isinstance(value, dict) and later.needed(kind) <= set(value) <= names
  if typing.get_origin(kind) is tuple:
    options = typing.get_args(kind)
    return isinstance(value, list) and (options[-1] is ... or len(value) == len(options))
  if kind is float:
    return isinstance(value, int | float) and not isinstance(value, bool)
  return type(value) is kind
