"""In which floats attacks search, where a config leaves that open."""

from jaxbench import model_names
from jaxbench.config.members import surrogates
from jaxbench.config.schema import BFLOAT16, FLOAT32, Config


def search_dtype(settings: Config) -> str:
  """What "auto" stands for on the devices at hand.

  Bfloat16 has several times the arithmetic of an accelerator, and none of a CPU. All models of a
  run are searched in the same: float32 too where gradients through a test-time defence might vanish
  in less, or where a network of somebody's own might know no other.
  """
  import jax  # Slow to import, and the command line parses without it.

  members = [member.model for some in surrogates(settings).values() for member in some]
  for name in (*settings.models, *members):
    base, defences = model_names.split_defences(name)
    if defences or model_names.is_own(base):
      return FLOAT32
  return FLOAT32 if jax.default_backend() == "cpu" else BFLOAT16
