"""Heads as torch.hub keeps them: linear layers in files whose names say of which backbone."""

import pathlib

from jaxbench import errors
from jaxbench.models.architectures import ARCHITECTURES, FAMILIES, family
from jaxbench.models.family import TORCH_HUB
from jaxbench.models.weights.checkpoint import Checkpoint

# By the name of a head's file: the backbone's, and what they are together.
HEADS: dict[str, tuple[str, str]] = {
  name: entry
  for row in FAMILIES.values()
  if row.torch_hub is not None
  for name, entry in row.torch_hub.heads.items()
}


def read(path: pathlib.Path, source: str) -> Checkpoint:
  """The head in the file `path` on the backbone that lies beside it.

  Raises:
    InputError: there is no such backbone.
  """
  backbone, name = HEADS[path.name]
  if not (path.parent / backbone).exists():
    raise errors.InputError(f"{path}: its backbone, {backbone}, does not lie beside it")
  config = ARCHITECTURES[name]
  row = family(config)
  assert row.torch_hub is not None
  return Checkpoint(
    config,
    path.parent / backbone,
    row.layouts(config)[TORCH_HUB],
    f"{source} on {backbone}",
    antialias=row.torch_hub.antialias(config),
    offset=row.torch_hub.offset(config),
    resizes=True,
    head=path,
  )
