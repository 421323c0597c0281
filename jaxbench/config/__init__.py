"""The settings: `schema` declares them, `checks` makes what was written what was meant."""

from jaxbench.config.checks import checked, checked_search, not_in_pixels
from jaxbench.config.members import EMBEDDING, Member, prompt_sets, prompts_on, surrogates
from jaxbench.config.schema import (
  AUTO,
  Attacks,
  Config,
  Corruptions,
  PromptSearch,
  Slots,
  Stylization,
  Training,
  fields,
)

__all__ = [
  "AUTO",
  "EMBEDDING",
  "Attacks",
  "Config",
  "Corruptions",
  "Member",
  "PromptSearch",
  "Slots",
  "Stylization",
  "Training",
  "checked",
  "checked_search",
  "fields",
  "not_in_pixels",
  "prompt_sets",
  "prompts_on",
  "surrogates",
]
