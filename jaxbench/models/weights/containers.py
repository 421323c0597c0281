"""Which network of a file is meant, and its tensors without what it was wrapped in."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from jaxbench import errors

_NESTED = 2  # How deep training checkpoints hold a network: {"ema": {"module": {...}}}.
# Of the package `robustness`: the network once more, in what attacks it; and mean and std.
_COPY, _NORMALIZER = "attacker.", "normalizer."


def chosen(path: Any, content: Any, key: str | None) -> Mapping[str, Any]:
  """The tensors of one network by name, in what a file holds.

  Args:
    path: of the file, for messages.
    content: tensors by name, or a training checkpoint that nests such.
    key: names that lead there, as "model_ema.module", and may go on into the names of the tensors,
      as "state_dict.model.visual"; None where there is one network.

  Raises:
    InputError: there is none, it is not known which of several, or `key` leads nowhere.
  """
  networks = dict(_networks(content, ""))
  if not networks:
    raise errors.InputError(f"{path}: not a state dict, that is tensors by name")
  if key is not None:
    return _under(path, networks, key)
  if len(networks) > 1:
    last = list(networks)[-1]
    raise errors.InputError(
      f"{path}: holds {len(networks)} networks, {', '.join(networks)}; say which is meant, as in "
      f"key={last!r} (in a run a vision tower is base+{path}:{last}; convert a whole model first: "
      f"`python -m jaxbench.models.convert ... --key={last}`)"
    )
  return next(iter(networks.values()))


def _under(path: Any, networks: Mapping[str, Mapping[str, Any]], key: str) -> Mapping[str, Any]:
  found = []
  for place, network in networks.items():
    full = {f"{place}.{name}".lstrip("."): tensor for name, tensor in network.items()}
    start = f"{key}."
    found.append({n.removeprefix(start): full[n] for n in full if n.startswith(start)})
  if len(there := list(filter(None, found))) == 1:
    return there[0]
  held = [place or ", ".join(_heads(network)) for place, network in networks.items()]
  raise errors.InputError(f"{path}: no network is called {key!r} in it; it holds {', '.join(held)}")


def _networks(content: Any, place: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
  """State dicts and where they are: mappings of tensors, not all of which are single numbers.

  Those without a number are none: TeCoA's files have a prompt of length 0 beside the network.
  """
  if not isinstance(content, Mapping) or not all(isinstance(key, str) for key in content):
    return
  arrays = [value for value in content.values() if hasattr(value, "ndim")]
  if content and len(arrays) == len(content) and any(array.ndim for array in arrays):
    if any(0 not in array.shape for array in arrays):
      yield place, content
  elif place.count(".") + bool(place) < _NESTED:
    for key, value in content.items():
      yield from _networks(value, f"{place}.{key}".lstrip("."))


def unwrapped(names: Iterable[str]) -> dict[str, str]:
  """Of names as a file has them, those of the network itself.

  What stands before all of them is no name of a network's: `module.` of DataParallel, `_orig_mod.`
  of torch.compile, the attribute of a Lightning module, `visual.` or `vision_model.` of a tower.
  """
  held = {name: name for name in names}
  while True:
    held = {name: bare for name, bare in held.items() if not bare.startswith(_COPY)}
    heads = _heads(bare for bare in held.values() if not bare.startswith(_NORMALIZER))
    if len(heads) != 1 or heads[0].isdigit() or heads[0] in held.values():  # A number is a layer's.
      return held
    held = {name: bare.removeprefix(f"{heads[0]}.") for name, bare in held.items()}


def _heads(names: Iterable[str]) -> list[str]:
  """The first parts of dotted names."""
  return list(dict.fromkeys(name.partition(".")[0] for name in names))
