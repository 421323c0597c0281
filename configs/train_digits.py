"""Trains the three embedded models on scikit-learn's digits, from nothing.

Command: python -m jaxbench --config=configs/train_digits.py --workdir=runs/train_digits
"""

from jaxbench import config


def get_config() -> config.Training:
  """The settings that made jaxbench/models/embedded."""
  return config.Training()
