"""open_clip and timm, which import torchvision for what no test asks of them.

Where there is none that can be imported (it needs the operators of a torch with CUDA), empty
classes stand for it meanwhile.
"""

import importlib.machinery
import importlib.util
import sys
import types

import pytest
import transformers

for _name in ("open_clip", "timm"):
  if importlib.util.find_spec(_name) is None:
    pytest.skip(f"{_name}: pip install --no-deps -r tests/writers.txt", allow_module_level=True)
transformers.utils.is_torchvision_available()  # Asked before something stands for it.


def _forget():
  for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
    del sys.modules[name]


class _Names(type):
  """Of a class whose attributes are their own names, as those of an enumeration."""

  def __getattr__(cls, name):
    if name.startswith("__"):
      raise AttributeError(name)
    return name


class _Empty(types.ModuleType):
  def __getattr__(self, name):
    if name.startswith("__"):
      raise AttributeError(name)
    return _Names(name, (), {})


class _Finder:
  def find_spec(self, name, path=None, target=None):
    if name.partition(".")[0] == "torchvision":
      return importlib.machinery.ModuleSpec(name, self, is_package=True)
    return None

  def create_module(self, spec):
    return _Empty(spec.name)

  def exec_module(self, module):
    pass


_finder = _Finder()
try:
  import torchvision  # noqa: F401
except (ImportError, RuntimeError):
  _forget()
  sys.meta_path.insert(0, _finder)
try:
  import open_clip
  import timm
finally:
  if _finder in sys.meta_path:
    sys.meta_path.remove(_finder)
    _forget()

__all__ = ["open_clip", "timm"]
