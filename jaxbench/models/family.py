"""What is known of one kind of network: a record in its module, a row of `architectures.FAMILIES`.

Everything that reads somebody's checkpoints asks these records and nothing else.
"""

import dataclasses
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from jaxbench.models.weights.config_json import Vision
from jaxbench.models.weights.mapping import Renamings
from jaxbench.models.weights.processor import Images
from jaxbench.models.weights.sidecar import Fields, Unread

# Libraries, by whose names the tensors of a file are known.
TORCHVISION, OPEN_CLIP, TIMM, HUGGINGFACE = "torchvision", "open_clip", "timm", "huggingface"
EFFICIENTNET_LITE_PYTORCH = "efficientnet_lite_pytorch"


class Transformers(NamedTuple):
  """How a folder of transformers tells a configuration."""

  model_type: str  # In its config.json.
  processor: str  # The image processor's class, of a folder that names none.
  read: Callable[[Fields, Images], Any]  # Its config.json -> our configuration.
  unread: Unread  # The fields that `read` leaves.
  # The network of our name as transformers' class has it: with its epsilons and padding.
  built: Callable[[Any], Any] = lambda config: config
  # The config.json of a folder with the vision tower alone, where there are such.
  read_vision: Callable[[Fields], Vision] | None = None

  @property
  def vision_type(self) -> str:
    """The `model_type` of such a folder."""
    return f"{self.model_type}_vision_model"


class Timm(NamedTuple):
  """How a folder of timm tells a configuration: by a name, and what differs from it."""

  names: Mapping[str, tuple[str, Mapping[str, Any]]]  # Of each of timm's: ours, and other fields.
  pool: str = "avg"  # Its `global_pool`.
  # Our configuration and the `model_args` -> the configuration that was built.
  built: Callable[[Any, Fields], Any] = lambda config, arguments: config


@dataclasses.dataclass(frozen=True)
class Family:
  """One kind of network, in all its sizes."""

  name: str  # In the model.json of our own checkpoints.
  config: type  # A frozen dataclass of numbers, text, and dataclasses and tuples of them.
  module: Callable[..., Any]  # config, rngs=... -> the network; see `has_tokenizer`.
  named: Mapping[str, Any]  # Configurations of the sizes that have names.
  sources: Mapping[str, tuple[str, ...]]  # Repositories of weights, by names of `named`.
  # Of a configuration: how each library has named the tensors, best known first.
  layouts: Callable[[Any], Mapping[str, list[Renamings]]]
  # Of a library that has not all of `named`: those it lacks.
  lacks: Mapping[str, Collection[str]] = dataclasses.field(default_factory=dict)
  transformers: Transformers | None = None
  timm: Timm | None = None
  # Whether a tokenizer.json comes with the weights: `module` takes it as tokenizer=..., its sha256
  # is in the configuration, and tensors without it are not enough.
  has_tokenizer: bool = False
