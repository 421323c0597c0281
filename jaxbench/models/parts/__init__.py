"""Layers and trunks that several families are made of."""
