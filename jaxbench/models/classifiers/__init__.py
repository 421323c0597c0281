"""Supervised classifiers: a family is a file."""
