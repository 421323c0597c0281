"""Models of a person's own: Python files, PyTorch modules, other packages."""
