"""Python files of people's own, which make what a config cannot describe."""

import contextlib
import hashlib
import modulefinder
import pathlib
import sys
import traceback
import types
from collections.abc import Callable, Iterator
from typing import Any

from jaxbench import errors


def digest(path: str) -> str:
  """sha256 of the Python file at `path`, and of whatever it imports from its own folder.

  Raises:
    InputError: it cannot be read.
  """
  file, _ = _read(path)
  finder = modulefinder.ModuleFinder([str(file.parent)], excludes=["jaxbench"])
  finder.run_script(str(file))
  modules: Any = finder.modules.values()
  imported = {pathlib.Path(module.__file__) for module in modules if module.__file__}
  hashed = hashlib.sha256()
  for one in [file, *sorted(imported - {file})]:
    hashed.update(one.read_bytes())
  return hashed.hexdigest()


def function(path: str, name: str) -> Callable[..., Any]:
  """The function of that name of the Python file at `path`.

  The file can import what lies beside it, now and later.

  Raises:
    InputError: it cannot be read, raises, or lacks the function.
  """
  file, code = _read(path)
  if (folder := str(file.parent)) not in sys.path:
    sys.path.append(folder)
  # Under its own name a module of another folder could take its place.
  own = f"jaxbench_user_file_{hashlib.sha256(str(file).encode()).hexdigest()[:8]}"
  module = types.ModuleType(own)
  module.__file__ = str(file)
  sys.modules[own] = module  # Dataclasses look for the module that they are of.
  with told(path, "it"):
    exec(code, vars(module))
  if not callable(found := getattr(module, name, None)):
    raise errors.InputError(f"{path} has no function {name}()")
  return found


def call(path: str, name: str, *arguments: Any) -> Any:
  """What `name(*arguments)` of the Python file at `path` returns; see `function`.

  Raises:
    InputError: there is no such function, or it raises.
  """
  make = function(path, name)
  with told(path, f"{name}()"):
    return make(*arguments)


def _read(path: str) -> tuple[pathlib.Path, types.CodeType]:
  """A file, and what it says; InputError if that is no Python."""
  file = _absolute(path)
  try:
    return file, compile(file.read_bytes(), str(file), "exec")
  except OSError as error:
    raise errors.InputError(f"{path} cannot be read: {error.strerror}") from error
  except (SyntaxError, ValueError) as error:
    raise errors.InputError(f"{path} is no Python: {error}") from error


def _absolute(path: str) -> pathlib.Path:
  return pathlib.Path(path).expanduser().absolute()


@contextlib.contextmanager
def told(path: str, what: str) -> Iterator[None]:
  """Whatever goes wrong is one line, with the last line of the file that it came by."""
  try:
    yield
  except errors.InputError as error:
    raise errors.InputError(f"{path}: {error}") from error
  except Exception as error:
    file, frames = str(_absolute(path)), traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == file]
    where = f"{path}, line {lines[-1]}" if lines else path
    raise errors.InputError(f"{where}: {what} raised {errors.reason(error)}") from error
