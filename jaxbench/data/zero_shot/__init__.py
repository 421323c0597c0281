"""The sets of zero-shot papers, each with its own class names and prompts; see `table`."""
