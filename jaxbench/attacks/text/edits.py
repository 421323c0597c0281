"""Edits of single characters: where a sentence can be changed, and what it becomes.

Charmer's space (Abad Rocamora et al., 2024, arXiv:2405.04346): a sentence of L characters has
2 L + 1 positions, before, at and after each; odd ones are characters, even ones the gaps.
"""

import numpy as np


def positions(sentence: str) -> range:
  """All of a sentence."""
  return range(2 * len(sentence) + 1)


def write(sentence: str, position: int, character: str, *, deletes: bool = False) -> str:
  """The sentence with a character at a position: inserted in a gap, else in place of what is there.

  Args:
    sentence: what is changed.
    position: of `positions`.
    character: one; "" deletes, and changes nothing in a gap.
    deletes: whether writing the character that stands there deletes it.
  """
  place, at_character = divmod(position, 2)
  rest = sentence[place + at_character :]
  if deletes and at_character and sentence[place] == character:
    character = ""
  return sentence[:place] + character + rest


def distance(one: str, other: str) -> int:
  """Levenshtein's: the fewest edits that lead from one to the other."""
  row = np.arange(len(other) + 1)
  letters = np.array(list(other))
  for place, character in enumerate(one, start=1):
    # Deleted or substituted first; then the cheapest way to insert, from left to right.
    best = np.minimum(row[1:] + 1, row[:-1] + (letters != character))
    steps = np.arange(len(row))
    row = np.minimum.accumulate(np.concatenate([[place], best]) - steps) + steps
  return int(row[-1])
