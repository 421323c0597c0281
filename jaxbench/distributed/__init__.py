"""Who else is at it: other hosts, leases on blocks, and whoever sends a signal."""
