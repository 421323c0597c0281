"""Errors that are the user's to mend: one clear line, never a traceback."""

import difflib
from collections.abc import Iterable


class InputError(ValueError):
  """A bad name, value or file; the message names it and the way out."""


class DeviceMemoryFull(Exception):
  """What was to be computed at once does not fit the memory of a device."""


def reason(error: Exception) -> str:
  """What somebody else's code has raised, in a line: its type and the first thing it says."""
  said = str(error).strip().splitlines()
  return f"{type(error).__name__}: {said[0]}" if said else type(error).__name__


def unknown(kind: str, name: str, known: Iterable[str]) -> InputError:
  """The error for a name that is not known, with the nearest match and all known names."""
  known = sorted(known)
  near = difflib.get_close_matches(name, known, n=1)
  hint = f" Did you mean {near[0]!r}?" if near else ""
  return InputError(f"unknown {kind} {name!r}.{hint} Known: {', '.join(known)}.")
