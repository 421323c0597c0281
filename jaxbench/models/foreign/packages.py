"""Models that another package builds, run through the torch bridge.

  timm:convnextv2_tiny.fcmae_ft_in1k
  open_clip:EVA02-L-14/merged2b_s4b_b131k
  robustbench:imagenet/Linf/Salman2020Do_R50

The package reads the weights where it keeps them; preprocessing is what it says itself.
"""

import contextlib
import difflib
import importlib
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import metadata
from typing import Any

from huggingface_hub import constants

from jaxbench import errors
from jaxbench.models.foreign.custom import Custom
from jaxbench.models.foreign.torch_bridge import from_torch
from jaxbench.models.preprocess import Preprocess
from jaxbench.models.weights import open_clip_json, timm
from jaxbench.models.weights.sidecar import Fields

# RobustBench's own steps before a model, which takes images in [0, 1].
_ROBUSTBENCH = {
  "Res256Crop224": Preprocess(224, 256, "bilinear"),
  "BicubicRes256Crop224": Preprocess(224, 256, "bicubic"),
  "Res224": Preprocess(224, interpolation="bilinear", squash=True),
  None: Preprocess(32),
}
_FOLDER = "ROBUSTBENCH_MODELS"  # In the environment: where its weights lie, by default "models".


def is_name(name: str) -> bool:
  """Whether a model's name is that of another package's."""
  return name.partition(":")[0] in _BUILDERS


def make(name: str, *, download: bool) -> Custom:
  """The model that `name` stands for.

  Args:
    name: "timm:NAME", "open_clip:ARCHITECTURE/TAG" or "robustbench:DATA/THREAT/NAME".
    download: let the package fetch weights that are not on this disk.

  Raises:
    InputError: the package is not installed or has no such model, its weights are not here, they
      cannot be run inside XLA, or its preprocessing is not built here.
  """
  package, _, rest = name.partition(":")
  with _offline(unless=download):
    return _BUILDERS[package](name, rest, download)


def _timm(name: str, rest: str, download: bool) -> Custom:
  library = _import("timm")
  if not library.is_model(rest.partition(".")[0]):
    raise _unknown(name, rest.partition(".")[0], library.list_models())
  if rest.partition(".")[2] and rest not in library.list_pretrained(f"{rest.partition('.')[0]}*"):
    raise _unknown(name, rest, library.list_pretrained(f"{rest.partition('.')[0]}*"))
  with _fetching(name, download):
    module = library.create_model(rest, pretrained=True)
  shown = timm.preprocessing(_fields(name, module.pretrained_cfg))
  return _bridge(name, "timm", module, shown)


def _open_clip(name: str, rest: str, download: bool) -> Custom:
  library = _import("open_clip")
  architecture, _, tag = rest.rpartition("/")
  if architecture not in library.list_models():
    raise _unknown(name, architecture, library.list_models())
  if tag not in (tags := library.list_pretrained_tags_by_model(architecture)):
    raise _unknown(name, tag, tags)
  with _fetching(name, download):
    module = library.create_model(architecture, pretrained=tag)
    tokenizer = library.get_tokenizer(architecture)
  said = library.get_model_preprocess_cfg(module)
  size = said["size"][0] if isinstance(said["size"], tuple | list) else said["size"]
  shown = open_clip_json.preprocessing(_fields(name, said), size)
  return _bridge(name, "open_clip_torch", module, shown, tokenizer=tokenizer)


def _robustbench(name: str, rest: str, download: bool) -> Custom:
  utils = _import("robustbench.utils")
  zoo = _import("robustbench.model_zoo").model_dicts
  names = {
    f"{data.value}/{threat.value}/{model}": entry
    for data, threats in zoo.items()
    for threat, entries in threats.items()
    for model, entry in entries.items()
  }
  if rest not in names:
    raise _unknown(name, rest, names)
  steps = names[rest].get("preprocessing")
  if steps not in _ROBUSTBENCH:
    raise errors.InputError(f"{name}: RobustBench's preprocessing {steps!r} is not built here")
  data, threat, model = rest.split("/")
  folder = pathlib.Path(os.environ.get(_FOLDER, "models"))
  file = folder / data / threat / f"{model}.pt"
  if not (download or file.exists()):
    raise errors.InputError(
      f"{name}: {file} is not there; name its folder in {_FOLDER}, or fetch it with "
      "download=True (--config.download=True)"
    )
  with _fetching(name, download):
    module = utils.load_model(model, str(folder), data, threat)
  return _bridge(name, "robustbench", module, {"preprocess": _ROBUSTBENCH[steps]})


_BUILDERS: dict[str, Callable[[str, str, bool], Custom]] = {
  "timm": _timm,
  "open_clip": _open_clip,
  "robustbench": _robustbench,
}


def _fields(name: str, said: Mapping[str, Any]) -> Fields:
  """What a package says of its images, as its files would."""
  listed = {key: list(value) if isinstance(value, tuple) else value for key, value in said.items()}
  return Fields(pathlib.Path(name), listed)


def _bridge(name: str, package: str, module: Any, shown: dict[str, Any], **options: Any) -> Custom:
  shown.pop("num_classes", None)  # The module tells.
  source = f"{name} ({package} {metadata.version(package)}, through torch)"
  try:
    return from_torch(module, **shown, source=source, **options)
  except errors.InputError as error:
    raise errors.InputError(f"{name}: {error}") from error


def _import(module: str) -> Any:
  package = module.partition(".")[0]
  try:
    return importlib.import_module(module)
  except (ImportError, RuntimeError) as error:
    wheel = {"open_clip": "open_clip_torch"}.get(package, package)
    raise errors.InputError(
      f"{package} cannot be imported ({str(error).splitlines()[0]}): pip install {wheel}, with the "
      "torch and torchvision of this machine"
    ) from error


def _unknown(name: str, asked: str, known: Iterable[str]) -> errors.InputError:
  """There may be a thousand: the nearest few are told."""
  near = difflib.get_close_matches(asked, list(known), n=3)
  return errors.InputError(
    f"{name}: there is no {asked!r}" + (f"; did you mean {', '.join(near)}?" if near else "")
  )


@contextlib.contextmanager
def _offline(*, unless: bool) -> Iterator[None]:
  """Nothing is fetched from the hub, by whatever library, unless that was asked for."""
  before = constants.HF_HUB_OFFLINE
  constants.HF_HUB_OFFLINE = before or not unless
  try:
    yield
  finally:
    constants.HF_HUB_OFFLINE = before


@contextlib.contextmanager
def _fetching(name: str, download: bool) -> Iterator[None]:
  """Whatever a package raises where it has no weights is one line."""
  try:
    yield
  except Exception as error:
    said = str(error).strip().splitlines()[:1] or [type(error).__name__]
    way = "" if download else "; if it is not on this disk, --config.download=True fetches it"
    raise errors.InputError(f"{name} cannot be built: {said[0]}{way}") from error
