"""Robustness of zero-shot vision-language models: the RoZ benchmark in JAX."""

__version__ = "0.1.0"
