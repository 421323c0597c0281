"""Prompts searched on a data set: CLIP-Auto, and vectors in place of words."""
