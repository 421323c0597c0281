"""The rows of the sets of the zero-shot papers, by family."""
