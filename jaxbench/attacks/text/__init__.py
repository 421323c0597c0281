"""Attacks on the text of a dual encoder, character by character."""

from jaxbench.attacks.text.objectives import OBJECTIVES
from jaxbench.attacks.text.run import Result, run
from jaxbench.attacks.text.searches import PRINTABLE, charmer, leaf, listed
from jaxbench.attacks.text.words import Words

__all__ = ["OBJECTIVES", "PRINTABLE", "Result", "Words", "charmer", "leaf", "listed", "run"]
