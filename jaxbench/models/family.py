"""What is known of one kind of network: a record in its module, a row of `architectures.FAMILIES`.

Everything that reads somebody's checkpoints asks these records and nothing else. Image towers that
stand before CLIP's text tower have a record of their own, a row of `towers.TOWERS`.
"""

import dataclasses
import pathlib
import types
from collections.abc import Callable, Collection, Mapping, Set
from typing import Any, NamedTuple

from jaxbench.models.weights.config_json import Vision
from jaxbench.models.weights.mapping import Renamings
from jaxbench.models.weights.processor import Images
from jaxbench.models.weights.sidecar import Fields, Unread

# Libraries, by whose names the tensors of a file are known.
TORCHVISION, OPEN_CLIP, TIMM, HUGGINGFACE = "torchvision", "open_clip", "timm", "huggingface"
EFFICIENTNET_LITE_PYTORCH, TORCH_HUB = "efficientnet_lite_pytorch", "torch_hub"


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
  others: tuple[str, ...] = ()  # Of `model_type`, which `read` reads too.
  # Whether its class brings position embeddings to the size of the images that come.
  resizes: bool = False
  antialias: Callable[[Any], bool] = lambda config: False  # How it does that.
  layout: Renamings | None = None  # Where its tensors have other names than the family's.
  only: str = ""  # Of what the source can, what is built here: the report says it.

  @property
  def vision_type(self) -> str:
    """The `model_type` of such a folder."""
    return f"{self.model_type}_vision_model"


class Timm(NamedTuple):
  """How a folder of timm tells a configuration: by a name, and what differs from it."""

  names: Mapping[str, tuple[str, Mapping[str, Any]]]  # Of each of timm's: ours, and other fields.
  # By its `global_pool`: the fields of our configuration that mean the same.
  pools: Mapping[str, Mapping[str, Any]] = types.MappingProxyType({"avg": {}})
  # Our configuration and the `model_args` -> the configuration that was built.
  built: Callable[[Any, Fields], Any] = lambda config, arguments: config


class TorchHub(NamedTuple):
  """Linear heads in files of their own, which torch.hub puts on a backbone."""

  heads: Mapping[str, tuple[str, str]]  # By a head's file: the backbone's, and our name of both.
  # How its class brings position embeddings to the size of the images that come.
  antialias: Callable[[Any], bool]
  offset: Callable[[Any], float]  # See `positions.resize`.


class OpenCLIP(NamedTuple):
  """How a folder of open_clip tells a configuration that is not CLIP's."""

  trunks: Set[str]  # The `timm_model_name`s that mean this family.
  # Its model_cfg, preprocess_cfg, and the folder -> our configuration.
  read: Callable[[Fields, Fields, pathlib.Path], Any]


class Trunk(NamedTuple):
  """What the `vision_cfg` of open_clip says of a network of timm."""

  fields: Fields  # For messages.
  pool: str  # `timm_pool`; "" leaves the network its own.
  projection: str  # `timm_proj`: "linear", "mlp", "none", or "" where its classifier projects.
  bias: bool  # `timm_proj_bias`.

  def require(self, pool: tuple[str, ...], projection: tuple[str, ...]) -> None:
    """Raises InputError, unless `timm_pool` and `timm_proj` are among these."""
    pairs = (("timm_pool", self.pool, pool), ("timm_proj", self.projection, projection))
    for key, value, known in pairs:
      if value not in known:
        name, built = self.fields.get("timm_model_name", ""), ", ".join(map(repr, known))
        raise self.fields.error(f"{key} {value!r} is not built for {name}; built is {built}")


class Sized(NamedTuple):
  """One size of an image tower."""

  config: Any  # Of its `Tower`.
  patch_size: int | None = None  # None where no position embedding is of patches.
  size: int | None = None  # Of images, in pixels, where timm's name fixes it.


class Tower(NamedTuple):
  """One kind of image tower that CLIPs have, in all its sizes."""

  config: type  # Of `CLIPConfig.vision`: a frozen dataclass of numbers, text and tuples of them.
  module: Callable[..., Any]  # CLIPConfig, rngs=... -> images [B, H, W, 3] in [0, 1] to [B, D].
  # Of its configuration: into open_clip's names of the tensors, which begin with "visual.".
  layout: Callable[[Any], Renamings] = lambda config: ()
  timm: Mapping[str, Sized] = types.MappingProxyType({})  # By open_clip's `timm_model_name`.
  # A configuration of `timm` -> how open_clip builds it.
  built: Callable[[Any, Trunk], Any] = lambda config, trunk: config


@dataclasses.dataclass(frozen=True)
class Family:
  """One kind of network, in all its sizes."""

  name: str  # In the model.json of our own checkpoints.
  # A frozen dataclass of numbers, text, and dataclasses and tuples of them. Its `tokenizer`, where
  # it has one, says which tokenizer.json comes with the weights, without which they do not do.
  config: type
  module: Callable[..., Any]  # config, rngs=... -> the network, with `tokenizer` to be set.
  named: Mapping[str, Any]  # Configurations of the sizes that have names.
  sources: Mapping[str, tuple[str, ...]]  # Repositories of weights, by names of `named`.
  # Of a configuration: how each library has named the tensors, best known first.
  layouts: Callable[[Any], Mapping[str, list[Renamings]]]
  # Of a library that has not all of `named`: those it lacks.
  lacks: Mapping[str, Collection[str]] = dataclasses.field(default_factory=dict)
  transformers: Transformers | None = None
  more: tuple[Transformers, ...] = ()  # Other folders of the same networks.
  timm: Timm | None = None
  open_clip: OpenCLIP | None = None
  torch_hub: TorchHub | None = None
