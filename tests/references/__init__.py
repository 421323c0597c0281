"""Independent implementations in torch, and what compares ours with them."""
