"""Attacks on the text of a dual encoder, character by character."""

from jaxbench.attacks.text.objectives import OBJECTIVES
from jaxbench.attacks.text.run import TOGETHER, Result, run
from jaxbench.attacks.text.scoring import Encoder
from jaxbench.attacks.text.searches import ATTACKS, PRINTABLE, TextAttack, charmer, leaf, listed
from jaxbench.attacks.text.words import Words

__all__ = [
  "ATTACKS",
  "OBJECTIVES",
  "PRINTABLE",
  "TOGETHER",
  "Encoder",
  "Result",
  "TextAttack",
  "Words",
  "charmer",
  "leaf",
  "listed",
  "run",
]
