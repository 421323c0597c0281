"""open_clip and timm, which import torchvision for what no test asks of them.

Where there is none (there is none for a torch without CUDA), empty classes stand for it meanwhile.
"""

import importlib.machinery
import importlib.util
import sys
import types

import transformers

transformers.utils.is_torchvision_available()  # Asked before something stands for it.


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
if importlib.util.find_spec("torchvision") is None:
  sys.meta_path.append(_finder)
try:
  import open_clip
  import timm
finally:
  if _finder in sys.meta_path:
    sys.meta_path.remove(_finder)
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
      del sys.modules[name]

__all__ = ["open_clip", "timm"]
