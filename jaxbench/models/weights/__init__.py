"""One file per source format; each says where our tensors lie in somebody's checkpoint."""
