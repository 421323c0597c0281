"""Accuracies that others have published, with the protocols they were measured under."""

from jaxbench.metrics.published.attack import same_attack
from jaxbench.metrics.published.clean import clean, standard_models
from jaxbench.metrics.published.corruption import ALEXNET, corruption_error
from jaxbench.metrics.published.measured import protocol
from jaxbench.metrics.published.protocol import Pixels, Prompts, Protocol, Reference
from jaxbench.metrics.published.recall import recall
from jaxbench.metrics.published.robust import (
  TABLES,
  Accuracy,
  Table,
  accuracies,
  check,
  under_attack,
)
from jaxbench.metrics.published.suites import MEANS, SUITES
from jaxbench.metrics.published.zero_shot import zero_shot

__all__ = [
  "ALEXNET",
  "MEANS",
  "SUITES",
  "TABLES",
  "Accuracy",
  "Pixels",
  "Prompts",
  "Protocol",
  "Reference",
  "Table",
  "accuracies",
  "check",
  "clean",
  "corruption_error",
  "protocol",
  "recall",
  "same_attack",
  "standard_models",
  "under_attack",
  "zero_shot",
]
