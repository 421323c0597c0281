"""What is said of an architecture that is not built here: that it is not, and the other way in."""

import difflib
import importlib.util
from collections.abc import Iterable

from jaxbench import errors
from jaxbench.models.weights.sidecar import Fields

_IN_A_FILE = "models.from_torch in a Python file (see jaxbench/models/README.md)"


def timm(fields: Fields, name: str, known: Iterable[str]) -> errors.InputError:
  """Of a folder of timm whose architecture is `name`."""
  return fields.error(
    f"timm's architecture {name!r} is not built here{_near(name, known)}; {_bridge(name)}, and "
    f"weights of your own: {_IN_A_FILE}"
  )


def transformers(fields: Fields, model_type: str, known: Iterable[str]) -> errors.InputError:
  """Of a folder of transformers whose `model_type` is not `known`."""
  if fields.content.get("auto_map"):
    return fields.error(
      f"model_type {model_type!r} is built by Python code that lies with the weights (auto_map), "
      "which is not run here; have transformers build it (trust_remote_code=True) and hand it to "
      f"{_IN_A_FILE}"
    )
  return fields.error(
    f"transformers' model_type {model_type!r} is not built here, of its own are "
    f"{', '.join(known)}; take the same weights as timm or open_clip have them, or what "
    f"transformers builds through torch: {_IN_A_FILE}"
  )


def named(name: str, known: Iterable[str]) -> errors.InputError:
  """Of bare tensors whose architecture the user names; there are hundreds, so few are told."""
  theirs = name.removeprefix("timm/")
  return errors.InputError(
    f"unknown architecture {name!r}{_near(theirs, known)}; models.list_models() has all that are "
    f"built here; if timm has it, {_bridge(theirs)}"
  )


def _near(name: str, known: Iterable[str]) -> str:
  near = difflib.get_close_matches(name.partition(".")[0], list(dict.fromkeys(known)), n=3)
  return f" (near it are {', '.join(near)})" if near else ""


def _bridge(name: str) -> str:
  """How timm itself builds it, on this machine."""
  here = all(importlib.util.find_spec(package) for package in ("timm", "torch", "torchax"))
  first = "" if here else "pip install timm torchvision 'jaxbench[torch]' and "
  return f"{first}models.load('timm:{name}') has timm build it, through torch"
