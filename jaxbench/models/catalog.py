"""Names and paths of models, and which reader serves them."""

import pathlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

import huggingface_hub
from etils import epath
from huggingface_hub import errors as hub_errors
from huggingface_hub.utils import validate_repo_id

from jaxbench import errors, model_names
from jaxbench.models import listing
from jaxbench.models.architectures import ARCHITECTURES, Model
from jaxbench.models.foreign import made
from jaxbench.models.foreign.custom import Custom
from jaxbench.models.listing import Listing
from jaxbench.models.preprocess import Preprocess
from jaxbench.models.weights import checkpoint, formats, orbax, vision_tower
from jaxbench.models.weights.checkpoint import Description

# Trained by configs/train_digits.py on scikit-learn's digits: demonstrations, not results.
EMBEDDED = ("digits-clip", "digits-clip-robust", "digits-resnet")
_EMBEDDED_FOLDER = pathlib.Path(__file__).parent / "embedded"
_WANTED = ("*.json", "*.safetensors")  # Of a repository; no pickles are fetched.


def list_models() -> dict[str, Listing]:
  """Every architecture by name: its configuration, its formats, and where weights of it are found.

  Example:
    >>> row = list_models()["resnet50"]
    >>> row.formats
    ('torchvision', 'timm', 'huggingface', 'jaxbench')
    >>> row.weights["timm/resnet50.a1_in1k"].preprocess
    Preprocess(size=288, resize=288, interpolation='bicubic', squash=False)
  """
  ours = {name: listing.embedded(describe(name).config) for name in EMBEDDED}
  return ours | {name: listing.of(name) for name in ARCHITECTURES}


def describe(
  path_or_name: str,
  *,
  visual: str | None = None,
  key: str | None = None,
  architecture: str | None = None,
  image_size: int | None = None,
  download: bool = False,
  mean: Sequence[float] | None = None,
  std: Sequence[float] | None = None,
  preprocess: Preprocess | None = None,
) -> Description:
  """What is known of a model without building it; arguments and errors are those of `load`."""
  images = {"mean": mean, "std": std, "preprocess": preprocess}
  base, visual = (path_or_name, visual) if visual else model_names.split(path_or_name)
  of_base = {"architecture": architecture, **images} | ({} if visual else {"key": key})
  found = _find(base, image_size, download, of_base).describe()
  if visual is None:
    return found
  tower = _tower(visual, base, found.config, key, image_size, download)
  return vision_tower.describe(found, tower)


def load(
  path_or_name: str,
  *,
  visual: str | None = None,
  key: str | None = None,
  architecture: str | None = None,
  image_size: int | None = None,
  download: bool = False,
  mean: Sequence[float] | None = None,
  std: Sequence[float] | None = None,
  preprocess: Preprocess | None = None,
) -> Model | Custom:
  """A model, in whatever public format its weights are.

  Args:
    path_or_name: a folder that jaxbench, transformers, open_clip, timm or sentence-transformers
      wrote; a file of bare tensors (.safetensors; .pt, .pth, .bin or .ckpt if torch is installed);
      the name of an embedded model; or a repository on Hugging Face, "org/name" or
      "org/name@revision", if it is in the cache on this disk; or a Python file, "mine.py" or
      "mine.py:argument", whose `get_model()` or `get_model(argument)` returns a `models.Custom`;
      or, with the extra `torch`, a model that another package builds: "timm:NAME",
      "open_clip:ARCHITECTURE/TAG", "robustbench:DATA/THREAT/NAME". "base+tower" is
      load(base, visual=tower), "base+tower.pt:model_ema" with key="model_ema".
    visual: a vision tower alone, to put on the CLIP or SigLIP whose text tower it shares: a file
      of bare tensors (RobustVLM's FARE and TeCoA; "vision_encoder_state_dict" of TeCoA's kin), or
      a folder or repository of transformers' CLIPVisionModel. Activation, normalisation and
      preprocessing are the base's; so is the projection, if the tower has none.
    key: of a file of several networks (that of `visual`, if there is one), which: the names that
      lead to it, as "model_ema", "state_dict.model.visual".
    architecture: of bare tensors; every other format says it itself. A source of its weights
      ("timm/tf_efficientnet_b0.ns_jft_in1k", "open_clip/ViT-L-14.laion2b_s32b_b82k",
      "torchvision/vit_b_16", "openai/clip-vit-base-patch32"), or a name of `list_models()` or
      timm, which does where the names of the tensors leave one source.
    image_size: pixels, if not those of the training: position embeddings are interpolated.
    download: fetch a repository that is not in the cache.
    mean: of bare tensors: what is taken from images in [0, 1], red, green and blue.
    std: of bare tensors: what they are divided by then.
    preprocess: how an image file becomes the model's input, which bare tensors do not tell; of a
      folder, in place of what its files say.

  Returns:
    The model, its tensors in the dtype found; it computes in float32 (see `compute_in`).

  Raises:
    InputError: there is no such model, or its files are broken, incomplete, contradictory, or say
      something that is not built here.

  Example:
    >>> clip = load("openai/clip-vit-base-patch32", download=True)
    >>> robust = load("openai/clip-vit-large-patch14", visual="fare_eps_2.pt")
  """
  images = {"mean": mean, "std": std, "preprocess": preprocess}
  base, visual = (path_or_name, visual) if visual else model_names.split(path_or_name)
  of_base = {"architecture": architecture, **images} | ({} if visual else {"key": key})
  model = _find(base, image_size, download, of_base).load()
  if visual is None:
    return model
  tower = _tower(visual, base, model.config, key, image_size, download)
  return vision_tower.put(cast(Model, model), tower)


class _Found(NamedTuple):
  """A model without a tower of another."""

  describe: Callable[[], Description]
  load: Callable[[], Model | Custom]


def _find(name: str, image_size: int | None, download: bool, bare: dict[str, Any]) -> _Found:
  """`bare` are options of bare tensors alone, None where they are not given."""
  options = {"image_size": image_size, **bare}
  if made.is_name(name):
    _only_foreign(name, "model; change it where it is made", **options)
    return _Found(
      lambda: made.describe(name, download=download), lambda: made.load(name, download=download)
    )
  place = _locate(name, download, errors.unknown("model", name, EMBEDDED))
  if orbax.is_checkpoint(place):
    _only_foreign(place, "checkpoint; convert it anew", **options)
    return _Found(lambda: orbax.describe(place), lambda: orbax.load(place))
  read = formats.read(pathlib.Path(place), name, **bare)
  return _Found(
    lambda: checkpoint.describe(read, image_size), lambda: checkpoint.load(read, image_size)
  )


def _tower(
  name: str, base: str, config: Any, key: str | None, image_size: int | None, download: bool
) -> vision_tower.Tower:
  """The tower `name`, to be put on the model `base`."""
  name, named = model_names.split_key(name)
  if named and key:
    raise errors.InputError(
      f"{name}:{named} says which network of the file is meant; key={key!r} too"
    )
  key = named or key
  missing = errors.InputError(f"{name}: no vision tower is there: no such file or folder")
  place = pathlib.Path(_locate(name, download, missing))
  resizes = image_size is not None
  return vision_tower.read(
    place, formats.source(place, name), base, config, key=key, resizes=resizes
  )


def _only_foreign(place: epath.PathLike, fixed: str, **options: Any) -> None:
  """A converted checkpoint, or a Python file, says everything itself."""
  for name, value in options.items():
    if value is not None:
      raise errors.InputError(f"{place}: {name} is fixed in this {fixed}")


def _locate(path_or_name: str, download: bool, missing: errors.InputError) -> epath.Path:
  if path_or_name in EMBEDDED:
    return epath.Path(_EMBEDDED_FOLDER / path_or_name)
  path = epath.Path(path_or_name)
  if "://" in path_or_name and path.exists() and not orbax.is_checkpoint(path):
    raise errors.InputError(
      f"{path_or_name}: only converted checkpoints are read from there; convert it first "
      "(python -m jaxbench.models.convert SRC DST)"
    )
  if path.exists():
    return path
  repository, _, revision = path_or_name.partition("@")
  try:
    validate_repo_id(repository)
    named = repository.count("/") == 1 and not repository.endswith(model_names.WEIGHTS)
  except hub_errors.HFValidationError:
    named = False
  if not named:
    raise missing
  return epath.Path(_repository(repository, revision or None, download))


def _repository(repository: str, revision: str | None, download: bool) -> str:
  """The folder of a snapshot; its name is the commit."""
  try:
    return huggingface_hub.snapshot_download(
      repository,
      revision=revision,
      allow_patterns=list(_WANTED),
      local_files_only=not download,
    )
  except hub_errors.LocalEntryNotFoundError as error:
    if download:
      raise errors.InputError(f"{repository}: cannot be reached to download it") from error
    raise errors.InputError(
      f"{repository}: neither a path nor in the Hugging Face cache; to fetch it, say "
      "download=True (--config.download=True)"
    ) from error
  except (hub_errors.HfHubHTTPError, OSError) as error:
    raise errors.InputError(f"{repository}: cannot be downloaded: {error}") from error
