"""Who computes a cell: blocks of examples, decoded, perturbed, classified, and written as rows."""
