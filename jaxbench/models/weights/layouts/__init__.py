"""Where each library keeps the tensors of each architecture family."""
