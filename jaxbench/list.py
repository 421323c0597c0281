"""Lists what can be named: jaxbench list [models|data|attacks|corruptions|prompts|configs].

Without a word it lists all of them. `*` marks what is on this disk: data sets below --data_root
(or JAXBENCH_DATA), models in the cache of Hugging Face's hub, or embedded.
"""

import ast
import inspect
import os
import pathlib
import sys
from collections.abc import Callable, Iterator, Sequence

import huggingface_hub
from absl import flags

from jaxbench import attacks, bundled, corruptions, data, errors, models, program

_FLAGS = flags.FlagValues()
_DATA_ROOT = flags.DEFINE_string(
  "data_root",
  None,
  "The folder of the data sets; default: of the environment, JAXBENCH_DATA.",
  flag_values=_FLAGS,
)
_Line = tuple[str, str, str]  # Its mark, its name, what it is.
_HERE, _AWAY = "* ", "  "


def _models() -> Iterator[_Line]:
  try:
    repositories = {one.repo_id for one in huggingface_hub.scan_cache_dir().repos}
  except huggingface_hub.errors.CacheNotFound:
    repositories = set()
  here = {"embedded", *repositories}
  for name, row in models.list_models().items():
    sources = sorted(row.sources, key=lambda source: source not in here)
    mark = _HERE if here & set(sources) else _AWAY
    yield mark, name, ", ".join(sources) or f"as {', '.join(row.bridged)}"


def _data() -> Iterator[_Line]:
  root = pathlib.Path(_DATA_ROOT.value or os.environ.get("JAXBENCH_DATA", "")).expanduser()
  if root.parts and not root.is_dir():
    raise errors.InputError(f"--data_root: {root} is not a folder")
  for name in data.DATA_SETS:
    yield _HERE, name, "embedded"
  for name, published in data.CATALOG.items():
    place = published.find(root) if root.parts else None
    where = published.origin if place is None else str(place)
    yield _HERE if place else _AWAY, name, f"{published.examples:,} examples: {where}"


def _attacks() -> Iterator[_Line]:
  for name, attack in attacks.ATTACKS.items():
    yield "", name, _first_line(attack)
  for name, on_texts in attacks.text.ATTACKS.items():
    yield "", name, f"on texts: {_first_line(on_texts)}"
  for name, on_both in attacks.joint.ATTACKS.items():
    yield "", name, f"on images and captions: {_first_line(on_both)}"


def _corruptions() -> Iterator[_Line]:
  families = {
    "ImageNet-C": corruptions.NAMES,
    "ImageNet-C, extra": corruptions.EXTRA_NAMES,
    "ImageNet-C-bar": corruptions.C_BAR_NAMES,
    "ImageNet-P, a sequence of frames": corruptions.SEQUENCES,
    "ImageNet-P, extra": corruptions.EXTRA_SEQUENCES,
  }
  for family, names in families.items():
    for name in names:
      yield "", name, family


def _prompts() -> Iterator[_Line]:
  for name in models.PROMPTS:
    yield "", name, "embedded"
  yield "", "own", "each data set's published names and templates; own(openai), own(coop), ..."


def _configs() -> Iterator[_Line]:
  for name, file in bundled.configs().items():
    about = ast.get_docstring(ast.parse(file.read_text())) or ""
    yield "", name, about.partition("\n")[0]


_KINDS: dict[str, Callable[[], Iterator[_Line]]] = {
  "models": _models,
  "data": _data,
  "attacks": _attacks,
  "corruptions": _corruptions,
  "prompts": _prompts,
  "configs": _configs,
}


def _first_line(function: Callable[..., object]) -> str:
  return (inspect.getdoc(function) or "").partition("\n")[0]


def _list(arguments: Sequence[str]) -> int:
  for unknown in [kind for kind in arguments if kind not in _KINDS]:
    raise errors.unknown("list", unknown, _KINDS)
  for kind in arguments or _KINDS:
    lines = list(_KINDS[kind]())
    width = max(len(name) for _, name, _ in lines)
    if len(arguments) != 1:
      print(f"\n{kind}")
    for mark, name, about in lines:
      print(f"{mark}{name:{width}}  {about}")
  return 0


def main(arguments: Sequence[str]) -> int:
  """Returns the exit status."""
  return program.run("jaxbench.list", __doc__, _FLAGS, _list, arguments)


if __name__ == "__main__":
  sys.exit(main(sys.argv[1:]))
