"""jaxbench's own checkpoints: an Orbax folder of tensors beside a description in model.json."""

import dataclasses
import hashlib
import json
import typing
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from etils import epath
from flax import nnx, traverse_util

from jaxbench import errors
from jaxbench.models.clip import CLIP, CLIPConfig
from jaxbench.models.resnet import ResNet, ResNetConfig

Model = CLIP | ResNet
ARCHITECTURES: dict[str, tuple[Any, Any]] = {  # Module and configuration.
  "clip": (CLIP, CLIPConfig),
  "resnet": (ResNet, ResNetConfig),
}
_DESCRIPTION, _TENSORS = "model.json", "tensors"


@dataclasses.dataclass(frozen=True)
class Description:
  """What is known of a model without reading its tensors."""

  architecture: str
  config: CLIPConfig | ResNetConfig
  parameters: int
  sha256: str  # Of all tensors by name, as `digest` computes it.
  source: str  # Where the weights came from, for the report.


def tensors(model: Model) -> dict[str, jax.Array]:
  """All arrays of `model` by their dotted names."""
  flat = traverse_util.flatten_dict(nnx.to_pure_dict(nnx.state(model)))
  return {".".join(map(str, path)): array for path, array in flat.items()}


def digest(named: dict[str, jax.Array]) -> str:
  """SHA-256 over names, dtypes, shapes and bytes."""
  result = hashlib.sha256()
  for name in sorted(named):
    array = np.asarray(named[name])
    result.update(f"{name} {array.dtype} {array.shape}\n".encode())
    result.update(np.ascontiguousarray(array).tobytes())
  return result.hexdigest()


def is_checkpoint(folder: epath.Path) -> bool:
  """Whether `folder` is in this format."""
  return (folder / _DESCRIPTION).exists()


def save(model: Model, folder: epath.PathLike, source: str) -> None:
  """Writes `model` to the new `folder`; `source` says where its weights came from."""
  folder = epath.Path(folder).absolute()
  named = tensors(model)
  folder.mkdir(parents=True, exist_ok=False)
  with ocp.StandardCheckpointer() as checkpointer:
    checkpointer.save(folder / _TENSORS, named)
  names = {model_class: name for name, (model_class, _) in ARCHITECTURES.items()}
  description = Description(
    architecture=names[type(model)],
    config=model.config,
    parameters=sum(array.size for array in named.values()),
    sha256=digest(named),
    source=source,
  )
  (folder / _DESCRIPTION).write_text(json.dumps(dataclasses.asdict(description), indent=2) + "\n")


def describe(folder: epath.Path) -> Description:
  """The description, without reading tensors.

  Raises:
    InputError: the description cannot be read or names an unknown architecture.
  """
  try:
    fields = json.loads((folder / _DESCRIPTION).read_text())
    _, config_class = ARCHITECTURES[fields["architecture"]]
    return Description(**{**fields, "config": _build(config_class, fields["config"])})
  except (KeyError, TypeError, ValueError) as error:
    raise errors.InputError(
      f"{folder / _DESCRIPTION}: not a model description ({error})"
    ) from error


def abstract(description: Description) -> Model:
  """The model with shapes in place of arrays; costs nothing."""
  model_class, _ = ARCHITECTURES[description.architecture]
  return nnx.eval_shape(lambda: model_class(description.config, rngs=nnx.Rngs(0)))


def load(folder: epath.Path) -> Model:
  """The model in `folder`.

  Raises:
    InputError: a tensor is missing, surplus or of another shape, or the bytes have changed.
  """
  description = describe(folder)
  model = abstract(description)
  wanted = tensors(model)
  try:
    with ocp.StandardCheckpointer() as checkpointer:
      found = checkpointer.restore(folder.absolute() / _TENSORS, wanted)
  except (ValueError, KeyError, OSError) as error:
    raise errors.InputError(f"{folder}: cannot read its tensors: {error}") from error
  if digest(found) != description.sha256:
    raise errors.InputError(f"{folder}: the tensors differ from the sha256 in {_DESCRIPTION}")
  state = nnx.state(model)
  flat = traverse_util.flatten_dict(nnx.to_pure_dict(state))
  filled = {path: found[".".join(map(str, path))] for path in flat}
  nnx.replace_by_pure_dict(state, traverse_util.unflatten_dict(filled))
  nnx.update(model, state)
  return model


def _build(kind: Any, value: Any) -> Any:
  """`value` from JSON as the (nested) dataclass or tuple that `kind` declares."""
  if dataclasses.is_dataclass(kind) and callable(kind):
    hints = typing.get_type_hints(kind)
    return kind(**{name: _build(hints[name], item) for name, item in value.items()})
  return tuple(value) if isinstance(value, list) else value
