"""Decoded examples in memory, block by block, and pictures of the few that are shown."""

from jaxbench.blocks.block import Block, Unreadable, stream

__all__ = ["Block", "Unreadable", "stream"]
