"""The settings: `schema` declares them, `checks` makes what was written what was meant."""

from jaxbench.config.assigned import attacks_on, by_data, others, prompts_on, subset_on
from jaxbench.config.checks import (
  check_argument,
  checked,
  checked_search,
  checked_training,
  not_in_pixels,
)
from jaxbench.config.members import EMBEDDING, Member, prompt_sets, start_of, surrogates
from jaxbench.config.schema import (
  AUTO,
  Attacks,
  Config,
  Corruptions,
  Limit,
  PromptSearch,
  Retrieval,
  Slots,
  Stylization,
  TextAttacks,
  Training,
  Universal,
  fields,
)

__all__ = [
  "AUTO",
  "EMBEDDING",
  "Attacks",
  "Config",
  "Corruptions",
  "Limit",
  "Member",
  "PromptSearch",
  "Retrieval",
  "Slots",
  "Stylization",
  "TextAttacks",
  "Training",
  "Universal",
  "attacks_on",
  "by_data",
  "check_argument",
  "checked",
  "checked_search",
  "checked_training",
  "fields",
  "not_in_pixels",
  "others",
  "prompt_sets",
  "prompts_on",
  "start_of",
  "subset_on",
  "surrogates",
]
