"""CLIP-Auto: searches tokens that, before a class name, make a CLIP classify better."""

from jaxbench import config


def get_config(goal: str = "clean") -> config.PromptSearch:
  """On the training scans of digits, evaluated on the held-out ones."""
  if goal == "robust":
    return config.PromptSearch(corruptions=("contrast",))
  return config.PromptSearch(start="one six four j")
